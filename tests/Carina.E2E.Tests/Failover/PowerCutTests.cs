using Carina.Harness.Kubernetes;
using k8s;

namespace Carina.E2E.Tests.Failover;

/// <summary>The node is gone all at once, and its silo with it: nobody is there to say that it has stopped writing.</summary>
public sealed class PowerCutTests(FailoverCluster cluster) : IClassFixture<FailoverCluster>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_guarded_volume_is_handed_over_when_the_lease_has_lapsed_and_not_before()
    {
        var volume = await cluster.RunStatefulSetAsync(
            "guarded", "node-2", new Dictionary<string, string> { ["carina.io/rebuild-node-notready"] = "true" });
        var before = await cluster.WaitUntilRunningAsync("guarded", _ => true);
        Assert.Equal("node-2", await ReadAsync(volume.Name, "{.spec.guard.nodeName}"));
        var lease = await cluster.Api.CoordinationV1.ReadNamespacedLeaseAsync("carina-node-node-2", "kube-system", cancellationToken: Stop);
        Assert.Equal("true", lease.Metadata.Annotations["carina.storage.io/guarded"]);

        await cluster.Cluster.Node("node-2").KillAsync(Stop);
        await cluster.StopKubeletAsync("node-2");
        var after = await cluster.WaitUntilRunningAsync(
            "guarded", p => p.Metadata.Uid != before.Metadata.Uid, TimeSpan.FromMinutes(2));

        Assert.NotEqual("node-2", after.Spec.NodeName);
        var history = await Eventually.ReadAsync(
            "the move to be over",
            () => ReadAsync(volume.Name, "{.spec.move.phase}|{.spec.history[*].what}"),
            text => text.StartsWith('|'),
            Stop);
        Assert.Contains("its lease has lapsed", history, StringComparison.Ordinal);

        // The last renewal and the successor's volume are at least as far apart as the lease lasts.
        var last = (await cluster.Api.CoordinationV1.ReadNamespacedLeaseAsync(
            "carina-node-node-2", "kube-system", cancellationToken: Stop)).Spec;
        var fenced = DateTime.Parse(
            (await ReadAsync(volume.Name, "{.spec.history[1].at}")).Trim(),
            System.Globalization.CultureInfo.InvariantCulture,
            System.Globalization.DateTimeStyles.AdjustToUniversal);
        Assert.True(fenced - last.RenewTime >= TimeSpan.FromSeconds(last.LeaseDurationSeconds!.Value), $"{fenced:O} after {last.RenewTime:O}");
    }

    private Task<string> ReadAsync(string volume, string path) =>
        cluster.Truth.Plane.KubectlAsync("get", "lv", volume, "--output", "jsonpath=" + path);
}
