using Carina.Grains;
using Carina.Harness.Kubernetes;
using k8s;
using k8s.Models;

namespace Carina.E2E.Tests.Failover;

/// <summary>The experiment: the kubelet of the node ends, the machine and its silo live on.</summary>
[Collection(FailoverCollection.Name)]
public sealed class KubeletStoppedTests(FailoverCluster cluster)
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_annotated_pod_comes_back_on_another_node_with_the_same_claim_and_no_other_pod_is_touched()
    {
        var (moving, before) = await cluster.RunAsync("moving", "node-1");
        var (staying, stayed) = await cluster.RunAsync("staying", "node-1", new Dictionary<string, string>());
        var (refusing, _) = await cluster.RunAsync(
            "refusing", "node-1", new Dictionary<string, string> { [CarinaNames.AllowMigration] = "false" });
        var claim = await ReadClaimAsync("moving");
        await File.WriteAllTextAsync(cluster.FileOf(before, moving, "old"), "data", Stop);

        await cluster.StopKubeletAsync("node-1");
        var after = await cluster.WaitUntilRunningAsync("moving", p => p.Metadata.Uid != before.Metadata.Uid);

        Assert.NotEqual("node-1", after.Spec.NodeName);
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(cluster.FileOf(after, moving, "x"))!));
        await File.WriteAllTextAsync(cluster.FileOf(after, moving, "new"), "data", Stop);

        // The old holder cannot write any more.
        await Assert.ThrowsAnyAsync<IOException>(() => File.WriteAllTextAsync(cluster.FileOf(before, moving, "late"), "data", Stop));

        var kept = await ReadClaimAsync("moving");
        Assert.Equal(claim.Metadata.Uid, kept.Metadata.Uid);
        Assert.Equal("yes", kept.Metadata.Labels["kept"]);
        Assert.Equal("mine", kept.Metadata.Annotations["somebody.example/note"]);
        Assert.Equal("Bound", kept.Status.Phase);
        await AssertMoveEndedAsync(moving.Name, after.Spec.NodeName);

        foreach (var (name, volume) in new[] { ("staying", staying), ("refusing", refusing) })
        {
            var pv = await cluster.Api.CoreV1.ReadPersistentVolumeAsync(volume.Name, cancellationToken: Stop);
            Assert.Equal("node-1", pv.Spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions[0].Values[0]);
            var pod = await cluster.Api.CoreV1.ReadNamespacedPodAsync(name + "-0", FailoverCluster.Namespace, cancellationToken: Stop);
            Assert.Equal("node-1", pod.Spec.NodeName);
        }

        await File.WriteAllTextAsync(cluster.FileOf(stayed, staying, "still"), "data", Stop);
        await AssertEventAsync("PersistentVolumeClaim", "data-moving", "FailoverDone");
        await AssertEventAsync("Pod", "moving-0", "FailoverStarted");
        await cluster.StartKubeletAsync("node-1");
    }

    private Task<V1PersistentVolumeClaim> ReadClaimAsync(string set) =>
        cluster.Api.CoreV1.ReadNamespacedPersistentVolumeClaimAsync("data-" + set, FailoverCluster.Namespace, cancellationToken: Stop);

    private async Task AssertMoveEndedAsync(string volume, string node)
    {
        var text = await Eventually.ReadAsync(
            "the move to be over",
            () => cluster.Truth.Plane.KubectlAsync("get", "lv", volume, "--output", "jsonpath={.spec.nodeName}|{.spec.move.phase}|{.spec.retiredCopies[*].nodeName}|{.spec.history[*].what}"),
            t => t.StartsWith($"{node}||node-1|", StringComparison.Ordinal),
            Stop);
        Assert.Contains("its agent has cut it off and said so", text, StringComparison.Ordinal);
    }

    private Task<Corev1EventList> AssertEventAsync(string kind, string name, string reason) => Eventually.ReadAsync(
        $"Event {reason} on {kind} {name}",
        () => cluster.Api.CoreV1.ListNamespacedEventAsync(
            FailoverCluster.Namespace, fieldSelector: $"involvedObject.kind={kind},involvedObject.name={name}", cancellationToken: Stop),
        events => events.Items.Any(e => e.Reason == reason),
        Stop);
}
