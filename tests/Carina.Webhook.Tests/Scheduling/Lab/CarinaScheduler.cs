using Carina.Harness.Kubernetes;
using Carina.Harness.Processes;

namespace Carina.Webhook.Tests.Scheduling.Lab;

/// <summary>A stock kube-scheduler with the example configuration, beside the default one.</summary>
internal static class CarinaScheduler
{
    public const string Name = "carina-scheduler";

    private const int FirstWithConfigurationV1 = 25;

    public static async Task<SiloProcess> StartAsync(ControlPlane plane, Uri extender, CancellationToken cancellationToken)
    {
        await plane.ApplyAsync(PathOf("scheduler-roles.yaml"));
        var version = plane.Minor < FirstWithConfigurationV1 ? "v1beta1" : "v1";
        var text = await File.ReadAllTextAsync(PathOf($"kube-scheduler-{version}.yaml"), cancellationToken);
        foreach (var (there, here) in new[]
        {
            ("/etc/carina/scheduler/kubeconfig", plane.Kubeconfig(Name)),
            ("https://carina-controller.kube-system.svc", extender.AbsoluteUri.TrimEnd('/')),
            ("/etc/carina/tls/ca.crt", plane.Keys.AuthorityPath),
        })
        {
            Assert.Contains(there, text, StringComparison.Ordinal);
            text = text.Replace(there, here, StringComparison.Ordinal);
        }

        var path = Path.Combine(plane.Directory, Name + ".yaml");
        await File.WriteAllTextAsync(path, text, cancellationToken);
        var binaries = await KubernetesBinaries.FindAsync(cancellationToken);
        return SiloProcess.StartProgram(
            Name,
            binaries["kube-scheduler"],
            [
                $"--config={path}",
                "--secure-port=0",
                .. plane.Minor < 24 ? new[] { "--port=0" } : [],
                "--v=2",
            ],
            new Dictionary<string, string> { ["CARINA_LABORATORY"] = plane.Directory, ["HOME"] = plane.Directory },
            Path.Combine(plane.LogDirectory, Name + ".log"));
    }

    public static string PathOf(string configuration) =>
        Path.Combine(AppContext.BaseDirectory, "Scheduling", "Configurations", configuration);
}
