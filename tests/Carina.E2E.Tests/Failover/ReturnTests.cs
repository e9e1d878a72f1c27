using Carina.Harness.Data;
using Carina.Harness.Kubernetes;
using Carina.RecordWriter;
using k8s;
using k8s.Models;

namespace Carina.E2E.Tests.Failover;

/// <summary>What people and Kubernetes say of a node: that it is back, that it is off, that it is no more.</summary>
[Collection(FailoverCollection.Name)]
public sealed class ReturnTests(FailoverCluster cluster)
{
    private const string Node = FailoverCluster.CabledNode;
    private const string OutOfService = "node.kubernetes.io/out-of-service";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_node_that_is_back_before_the_hand_over_keeps_its_volume_and_its_pod_writes_on()
    {
        var (volume, pod) = await cluster.RunAsync("returning", Node);
        await cluster.Cluster.SetFailoverAsync("""{"fastDetection": true, "handOver": "fenced"}""", Stop);
        using var writer = RecordingWriter.Start(WritingWay.Direct, cluster.FileOf(pod, volume, "records"));
        await writer.WaitForAsync(50);

        // Nobody is there to cut the volume off, and the strictest hand-over takes nothing for it.
        await cluster.StopGuardAsync();
        await cluster.Cluster.Node(Node).KillAsync(Stop);
        await cluster.StopKubeletAsync(Node);
        await Eventually.ReadAsync(
            "the move to wait",
            () => cluster.ReadAsync(volume, "{.spec.move.problem}"),
            problem => problem.Contains("hand-over: fenced", StringComparison.Ordinal),
            Stop);

        await cluster.StartKubeletAsync(Node);
        Assert.Contains("is back", await cluster.WaitUntilSettledAsync(volume), StringComparison.Ordinal);
        await cluster.Cluster.SetFailoverAsync(FailoverCluster.Failover, Stop);
        await cluster.ReviveAsync();
        await writer.WaitForAsync(writer.Acknowledged.Count + 50);
        Assert.Equal(0, writer.Failures);
        var kept = await cluster.WaitUntilRunningAsync("returning", _ => true);
        Assert.Equal((pod.Metadata.Uid, Node), (kept.Metadata.Uid, kept.Spec.NodeName));
        Assert.Equal(Node, await cluster.ReadAsync(volume, "{.spec.nodeName}"));
    }

    [Fact]
    public async Task An_operator_s_word_that_a_machine_is_off_is_enough()
    {
        var (volume, before) = await cluster.RunAsync("powered-off", "node-1");
        cluster.SilenceKubelet("node-1");
        await TaintAsync("node-1", new V1Taint { Key = OutOfService, Value = "nodeshutdown", Effect = "NoExecute" });
        await cluster.WaitUntilMovedAsync(before);
        Assert.Contains("an operator marked the node out of service", await cluster.WaitUntilSettledAsync(volume), StringComparison.Ordinal);
        await TaintAsync("node-1");
        await cluster.StartKubeletAsync("node-1");
    }

    [Fact]
    public async Task The_volumes_of_a_node_whose_object_is_deleted_move()
    {
        var (volume, before) = await cluster.RunAsync("disowned", Node);
        cluster.SilenceKubelet(Node);
        await cluster.Truth.Nodes.RemoveAsync(Node, Stop);
        await cluster.WaitUntilMovedAsync(before);

        // The others no longer have its silo for a member, and it ends: its lease has the last word, unless it was asked in time.
        Assert.Matches("its lease has lapsed|its agent has cut it off", await cluster.WaitUntilSettledAsync(volume));
        await cluster.Truth.AddNodeAsync(Node, Stop);
        await cluster.ReviveAsync();
    }

    private Task<V1Node> TaintAsync(string node, params V1Taint[] taints) => cluster.Api.CoreV1.PatchNodeAsync(
        new(new V1Node { Spec = new() { Taints = taints } }, V1Patch.PatchType.MergePatch), node, cancellationToken: Stop);
}
