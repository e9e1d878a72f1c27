using Carina.Harness.Cluster;
using Carina.Harness.Data;
using Carina.Harness.Kubernetes;
using Carina.Harness.Sidecars;
using Carina.RecordWriter;
using k8s.Models;

namespace Carina.E2E.Tests.Failover;

/// <summary>
/// Nodes that live on where nobody hears of them. A process writes to the old copy all the time: what it has been told is
/// written must have been so before the new copy was written to.
/// </summary>
[Collection(FailoverCollection.Name)]
public sealed class PartitionTests(FailoverCluster cluster)
{
    private const string Node = FailoverCluster.CabledNode;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_node_cut_off_from_everybody_stops_writing_before_another_begins()
    {
        var (volume, before) = await cluster.RunAsync("alone", Node);
        using var old = await WriteAsync(before, volume);
        await cluster.Cable.CutAsync(Cut.All, Stop);
        cluster.SilenceKubelet(Node);
        await AssertMovedInOrderAsync(old, before, volume);
        Assert.Contains("its lease has lapsed", await cluster.WaitUntilSettledAsync(volume), StringComparison.Ordinal);
        await cluster.ReviveAsync();
        await AssertOldPodIsClearedAwayAsync(before, volume);
    }

    [Fact]
    public async Task A_node_that_hears_everybody_and_is_heard_by_nobody_loses_both_volumes_of_its_pod_to_the_same_node()
    {
        string[] claims = ["mute-data", "mute-log"];
        var (volumes, before) = await cluster.RunAsync(
            "mute", Node, new Dictionary<string, string> { [Grains.CarinaNames.AllowMigration] = "true" }, claims);
        using var old = await WriteAsync(before, volumes[0]);
        using var second = await WriteAsync(before, volumes[1]);
        await cluster.Cable.CutAsync(Cut.Outgoing, Stop);
        cluster.SilenceKubelet(Node);
        await AssertMovedInOrderAsync(old, before, volumes[0]);
        await second.StopAsync();
        await cluster.WaitUntilSettledAsync(volumes[0]);
        await cluster.WaitUntilSettledAsync(volumes[1]);
        Assert.Equal(await cluster.ReadAsync(volumes[0], "{.spec.nodeName}"), await cluster.ReadAsync(volumes[1], "{.spec.nodeName}"));
        await cluster.ReviveAsync();
    }

    [Fact]
    public async Task A_node_cut_off_from_the_API_server_alone_is_asked_by_its_peers_to_stop()
    {
        var (volume, before) = await cluster.RunAsync("unheard", Node);
        using var old = await WriteAsync(before, volume);
        await cluster.Cable.CutAsync(Cut.Api, Stop);
        await cluster.StopKubeletAsync(Node);
        await AssertMovedInOrderAsync(old, before, volume);
        Assert.Contains("its agent has cut it off and said so", await cluster.WaitUntilSettledAsync(volume), StringComparison.Ordinal);
        await cluster.Cable.CutAsync(Cut.None, Stop);
        await cluster.StartKubeletAsync(Node);
        await AssertOldPodIsClearedAwayAsync(before, volume);
    }

    [Fact]
    public async Task A_node_cut_off_from_its_peers_alone_keeps_its_volume_and_its_pod_writes_on()
    {
        var (volume, before) = await cluster.RunAsync("islander", Node);
        using var writer = await WriteAsync(before, volume);
        var silo = cluster.Cluster.Node(Node).Process!;
        await cluster.Cable.CutAsync(Cut.Peers, Stop);
        await silo.WaitForExitAsync(Stop).WaitAsync(TimeSpan.FromSeconds(60), Stop);

        // The others have declared it dead, and it has seen that; the kubelet starts it anew.
        var written = writer.Acknowledged.Count;
        await cluster.Cable.CutAsync(Cut.None, Stop);
        await cluster.ReviveAsync();
        await writer.WaitForAsync(written + 20);
        Assert.Equal(0, writer.Failures);
        Assert.Equal("|", await cluster.ReadAsync(volume, "{.spec.move.phase}|{.spec.history[*].what}"));
    }

    [Fact]
    public async Task A_silo_that_is_stopped_finds_when_it_goes_on_that_its_volume_has_moved()
    {
        var (volume, before) = await cluster.RunAsync("sleeper", Node);
        using var old = await WriteAsync(before, volume);
        cluster.Cluster.Node(Node).Process!.Freeze();
        try
        {
            await cluster.StopKubeletAsync(Node);
            await AssertMovedInOrderAsync(old, before, volume);
            Assert.Contains("its lease has lapsed", await cluster.WaitUntilSettledAsync(volume), StringComparison.Ordinal);
        }
        finally
        {
            cluster.Cluster.Node(Node).Process!.Thaw();
        }

        using var late = await RecordWriterAsync(before, volume);
        await late.WaitForEndOfSuccessAsync();
        Assert.Empty(late.Acknowledged);
        await cluster.ReviveAsync();
        await AssertOldPodIsClearedAwayAsync(before, volume);
    }

    private Task<RecordingWriter> RecordWriterAsync(V1Pod pod, PersistentVolume volume) =>
        Task.FromResult(RecordingWriter.Start(WritingWay.Direct, cluster.FileOf(pod, volume, "records")));

    private async Task<RecordingWriter> WriteAsync(V1Pod pod, PersistentVolume volume)
    {
        var writer = await RecordWriterAsync(pod, volume);
        await writer.WaitForAsync(50);
        return writer;
    }

    private async Task AssertMovedInOrderAsync(RecordingWriter old, V1Pod before, PersistentVolume volume)
    {
        var after = await cluster.WaitUntilMovedAsync(before);
        using var successor = await WriteAsync(after, volume);
        await successor.StopAsync();
        await old.StopAsync();
        var (last, first) = (old.Acknowledged[^1].Acknowledged, successor.Acknowledged[0].Begun);
        var between = System.Diagnostics.Stopwatch.GetElapsedTime(last, first);
        TestContext.Current.SendDiagnosticMessage($"{between.TotalSeconds:F2} s between the last record on {before.Spec.NodeName} and the first on {after.Spec.NodeName}");
        Assert.True(last < first, $"the old copy was written to {-between.TotalSeconds:F2} s after the new one");
    }

    /// <summary>What the kubelet asks for when it is back works: the driver lets go of the old copy.</summary>
    private async Task AssertOldPodIsClearedAwayAsync(V1Pod before, PersistentVolume volume)
    {
        var path = cluster.Cluster.Node(Node).Kubelet.TargetPath(volume, before.Metadata.Uid);
        await Eventually.ReadAsync("the old pod's mount to go", () => Task.FromResult(Path.Exists(path)), there => !there, Stop);
    }
}
