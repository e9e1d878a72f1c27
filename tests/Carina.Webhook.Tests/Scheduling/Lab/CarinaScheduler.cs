using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Carina.Harness.Kubernetes;
using Carina.Harness.Processes;
using k8s;

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

        text = text.Replace(":10251", $":{FindFreePort()}", StringComparison.Ordinal);
        var path = Path.Combine(plane.Directory, Name + ".yaml");
        await File.WriteAllTextAsync(path, text, cancellationToken);
        var binaries = await KubernetesBinaries.FindAsync(cancellationToken);
        var process = SiloProcess.StartProgram(
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
        await WaitForLeadershipAsync(plane, process, cancellationToken);
        return process;
    }

    // It schedules from then on.
    private static async Task WaitForLeadershipAsync(ControlPlane plane, SiloProcess process, CancellationToken cancellationToken) =>
        await Eventually.ReadAsync(
            "carina-scheduler to lead",
            () => plane.Admin.CoordinationV1.ReadNamespacedLeaseAsync(Name, "kube-system", cancellationToken: cancellationToken),
            lease => process.HasExited
                ? throw new InvalidOperationException($"carina-scheduler has ended:\n{process.Tail(5)}")
                : lease.Spec.HolderIdentity is { Length: > 0 },
            cancellationToken);

    private static string FindFreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port.ToString(CultureInfo.InvariantCulture);
    }

    public static string PathOf(string configuration) =>
        Path.Combine(AppContext.BaseDirectory, "Scheduling", "Configurations", configuration);
}
