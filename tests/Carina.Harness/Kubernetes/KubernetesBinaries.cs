using System.Globalization;
using System.Text.RegularExpressions;
using Carina.Harness.Cluster;
using Carina.Harness.Processes;

namespace Carina.Harness.Kubernetes;

/// <summary>The programs of a control plane and its clients, all in one directory.</summary>
public sealed partial class KubernetesBinaries
{
    /// <summary>envtest's variable for the directory.</summary>
    public const string Variable = "KUBEBUILDER_ASSETS";

    // A first build, on a machine that does other things, too.
    private static readonly TimeSpan _buildLimit = TimeSpan.FromMinutes(60);
    private static readonly string[] _programs =
        ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "helm"];

    private KubernetesBinaries(string directory, int minor)
    {
        (Directory, Minor) = (directory, minor);
    }

    public string Directory { get; }

    /// <summary>The 20 of Kubernetes 1.20.</summary>
    public int Minor { get; }

    public string this[string program] => Path.Combine(Directory, program);

    /// <summary>
    /// Takes them from the directory that the variable names, or has them made by <c>tests/lab/kubernetes</c>.
    /// </summary>
    /// <exception cref="HarnessException">They are not there and could not be made.</exception>
    public static async Task<KubernetesBinaries> FindAsync(CancellationToken cancellationToken)
    {
        var directory = Environment.GetEnvironmentVariable(Variable);
        if (string.IsNullOrEmpty(directory) || !_programs.All(p => File.Exists(Path.Combine(directory, p))))
        {
            var output = await Command.RunAsync(
                Path.Combine(BuiltAssemblies.Root, "tests/lab/kubernetes"), [], cancellationToken, limit: _buildLimit);
            directory = output.TrimEnd().Split('\n')[^1];
        }

        var version = await Command.RunAsync(Path.Combine(directory, "kube-apiserver"), ["--version"], cancellationToken);
        return VersionPattern().Match(version) is { Success: true } match
            ? new(directory, int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture))
            : throw new HarnessException($"kube-apiserver in {directory} says its version is '{version.Trim()}'.");
    }

    [GeneratedRegex(@"v1\.(\d+)\.")]
    private static partial Regex VersionPattern();
}
