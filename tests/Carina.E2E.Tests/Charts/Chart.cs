using Carina.Harness.Cluster;
using Carina.Harness.Kubernetes;
using Carina.Harness.Processes;

namespace Carina.E2E.Tests.Charts;

/// <summary>The chart of this repository, and helm without a cluster.</summary>
internal static class Chart
{
    /// <summary>Names of the release and its namespace in the operator's experiment.</summary>
    public const string Release = "carina-csi-driver";

    public const string Namespace = "kube-system";

    public static string Directory { get; } = Path.Combine(BuiltAssemblies.Root, "charts", "carina-csi-driver");

    /// <summary>Values files that users have, by name; empty is the chart's own.</summary>
    public static IReadOnlyList<string> ValueSets { get; } =
        ["", "carina-0.9.1", "carina-0.10", "carina-0.11", "experiment", "everything", "bare"];

    /// <summary>Versions of Kubernetes between which something in the chart changes.</summary>
    public static IReadOnlyList<string> KubeVersions { get; } =
        ["1.20.2", "1.21.8", "1.22.17", "1.24.17", "1.25.16+k3s1", "1.28.15-eks-1a2b3c4", "1.30.14", "1.36.2"];

    /// <summary>Arguments that give a values file to helm.</summary>
    public static IReadOnlyList<string> Values(string set) => set.Length == 0
        ? []
        : ["--values", Path.Combine(BuiltAssemblies.Root, "tests/Carina.E2E.Tests/Charts/Values", set + ".yaml")];

    /// <summary>The objects that helm would make.</summary>
    public static async Task<ChartObjects> RenderAsync(
        string set, string kubeVersion, CancellationToken stop, params IReadOnlyList<string> more) =>
        ChartObjects.Parse(await HelmAsync(
            stop,
            ["template", Release, Directory, "--namespace", Namespace, "--kube-version", kubeVersion, .. Values(set), .. more]));

    /// <summary>What helm says when it refuses.</summary>
    public static async Task<string> RefusalAsync(CancellationToken stop, params IReadOnlyList<string> more)
    {
        var outcome = await Command.TryRunAsync(
            await HelmPathAsync(stop),
            ["template", Release, Directory, "--namespace", Namespace, .. more],
            stop);
        Assert.True(outcome.ExitCode != 0, $"helm template {string.Join(' ', more)} was not refused.");
        return outcome.Error;
    }

    public static async Task<string> HelmAsync(CancellationToken stop, params IReadOnlyList<string> arguments) =>
        await Command.RunAsync(await HelmPathAsync(stop), arguments, stop);

    private static async Task<string> HelmPathAsync(CancellationToken stop) =>
        (await KubernetesBinaries.FindAsync(stop))["helm"];
}
