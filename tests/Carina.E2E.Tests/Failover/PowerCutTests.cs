using Carina.Harness.Kubernetes;
using k8s;

namespace Carina.E2E.Tests.Failover;

/// <summary>The node is gone all at once, and its silo with it: nobody is there to say that it has stopped writing.</summary>
[Collection(FailoverCollection.Name)]
public sealed class PowerCutTests(FailoverCluster cluster)
{
    private const string Node = FailoverCluster.CabledNode;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_guarded_volume_is_handed_over_when_the_lease_has_lapsed_and_not_before_also_when_the_coordinator_dies_meanwhile()
    {
        var (volume, before) = await cluster.RunAsync(
            "guarded", Node, new Dictionary<string, string> { ["carina.io/rebuild-node-notready"] = "true" });
        Assert.Equal(Node, await cluster.ReadAsync(volume, "{.spec.guard.nodeName}"));
        var annotations = (await ReadLeaseAsync()).Metadata.Annotations;
        Assert.Equal("true", annotations["carina.storage.io/guarded"]);
        Assert.Equal("process", annotations["carina.storage.io/guard"]);

        await cluster.CutPowerAsync();
        await cluster.StopKubeletAsync(Node);
        await Eventually.ReadAsync("the move to wait", () => cluster.ReadAsync(volume, "{.spec.move.phase}"), p => p == "Fencing", Stop);
        var coordinator = cluster.FindCoordinator();
        await coordinator.KillAsync(Stop);
        await cluster.WaitUntilMovedAsync(before, TimeSpan.FromMinutes(2));

        Assert.Contains("its lease has lapsed", await cluster.WaitUntilSettledAsync(volume), StringComparison.Ordinal);

        // The last renewal and the successor's volume are at least as far apart as the lease lasts.
        var last = (await ReadLeaseAsync()).Spec;
        var fenced = DateTime.Parse(
            (await cluster.ReadAsync(volume, "{.spec.history[1].at}")).Trim(),
            System.Globalization.CultureInfo.InvariantCulture,
            System.Globalization.DateTimeStyles.AdjustToUniversal);
        Assert.True(fenced - last.RenewTime >= TimeSpan.FromSeconds(last.LeaseDurationSeconds!.Value), $"{fenced:O} after {last.RenewTime:O}");

        coordinator.Start();
        await cluster.ReviveAsync();
    }

    [Fact]
    public async Task With_fast_detection_nobody_waits_for_Kubernetes_to_notice()
    {
        var (volume, before) = await cluster.RunAsync("fast", Node);
        await cluster.CutPowerAsync();
        await cluster.WaitUntilMovedAsync(before);
        var node = await cluster.Api.CoreV1.ReadNodeAsync(Node, cancellationToken: Stop);
        Assert.Equal("True", node.Status.Conditions.Single(c => c.Type == "Ready").Status);
        Assert.Contains("its lease has lapsed", await cluster.WaitUntilSettledAsync(volume), StringComparison.Ordinal);
        await cluster.ReviveAsync();
    }

    private Task<k8s.Models.V1Lease> ReadLeaseAsync() =>
        cluster.Api.CoordinationV1.ReadNamespacedLeaseAsync("carina-node-" + Node, "kube-system", cancellationToken: Stop);
}
