using Carina.Harness;
using Carina.Harness.Kubernetes;
using k8s;
using k8s.Models;

namespace Carina.E2E.Tests.Kubernetes;

/// <summary>Control planes of their own.</summary>
public sealed class StartTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_bare_API_server_takes_pods_and_leaves_nothing()
    {
        var plane = await ControlPlane.StartAsync(new(), Stop);
        await using (plane)
        {
            var pod = new V1Pod
            {
                Metadata = new() { Name = "bare" },
                Spec = new() { Containers = [new() { Name = "bare", Image = "none" }] },
            };
            await plane.Admin.CoreV1.CreateNamespacedPodAsync(pod, "default", cancellationToken: Stop);
            Assert.Empty(await plane.RemoveAsync());
        }

        Assert.False(Directory.Exists(plane.Directory));
    }

    [Fact]
    public async Task A_node_that_renews_no_lease_is_taken_for_dead()
    {
        await using var plane = await ControlPlane.StartAsync(
            new()
            {
                ControllerManager = true,
                ControllerManagerArguments = ["--node-monitor-period=1s", "--node-monitor-grace-period=10s"],
            },
            Stop);
        await using var nodes = new FakeNodes(plane.Admin);
        await nodes.AddAsync(new("dying"), Stop);
        nodes.PauseLease("dying");
        await WaitForReadyAsync("Unknown");
        await nodes.SetReadyAsync("dying", true, Stop);
        nodes.ResumeLease("dying");
        await WaitForReadyAsync("True");

        Task<V1Node> WaitForReadyAsync(string status) => Eventually.ReadAsync(
            $"Ready={status}",
            () => plane.Admin.CoreV1.ReadNodeAsync("dying", cancellationToken: Stop),
            node => node.Status.Conditions.Any(c => c.Type == "Ready" && c.Status == status),
            Stop);
    }

    [Fact]
    public async Task A_failed_start_says_why_and_leaves_nothing()
    {
        var temporary = Directory.CreateTempSubdirectory("carina-start-").FullName;
        var usual = Environment.GetEnvironmentVariable("TMPDIR");
        Environment.SetEnvironmentVariable("TMPDIR", temporary);
        try
        {
            var error = await Assert.ThrowsAsync<HarnessException>(() => ControlPlane.StartAsync(
                new() { ApiServerArguments = ["--no-such-argument"] }, Stop));
            Assert.Contains("kube-apiserver has ended by itself", error.Message, StringComparison.Ordinal);
            Assert.Contains("no-such-argument", error.Message, StringComparison.Ordinal);
            Assert.Empty(Directory.GetFileSystemEntries(temporary));
            Assert.DoesNotContain(CommandLines(), line => line.Contains(temporary, StringComparison.Ordinal));
        }
        finally
        {
            Environment.SetEnvironmentVariable("TMPDIR", usual);
            Directory.Delete(temporary, recursive: true);
        }
    }

    private static IEnumerable<string> CommandLines()
    {
        foreach (var process in Directory.EnumerateDirectories("/proc"))
        {
            var line = "";
            try
            {
                line = File.ReadAllText(Path.Combine(process, "cmdline"));
            }
            catch (IOException)
            {
                // Not a process, or gone in the meantime.
            }

            yield return line;
        }
    }
}
