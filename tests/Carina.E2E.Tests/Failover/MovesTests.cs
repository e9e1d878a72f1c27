using System.Security.Cryptography;
using System.Text.Json;
using Carina.Grains;
using Carina.Grains.Failover;
using Carina.Harness.Kubernetes;
using Carina.Harness.Sidecars;
using k8s;
using k8s.Models;

namespace Carina.E2E.Tests.Failover;

/// <summary>What a volume holds goes with it, comes back, or is thrown away: as somebody asks for.</summary>
[Collection(FailoverCollection.Name)]
public sealed class MovesTests(FailoverCluster cluster)
{
    private static readonly Dictionary<string, string> _optedIn = new() { [CarinaNames.AllowMigration] = "true" };

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_was_left_behind_is_put_aside_restored_and_discarded()
    {
        var (volume, first) = await cluster.RunAsync("restored", "node-1", _optedIn);
        var written = await WriteAsync(first, volume);
        var free = await AllocatedAsync("node-1");

        await cluster.StopKubeletAsync("node-1");
        var second = await cluster.WaitUntilRunningAsync("restored", p => p.Metadata.Uid != first.Metadata.Uid);
        Assert.False(File.Exists(cluster.FileOf(second, volume, "data")));
        await cluster.StartKubeletAsync("node-1");
        await ReadUntilAsync(volume, "{.spec.retiredCopies[0].storedAs}", text => text == RetiredCopyId.Of(volume.Handle, 1));
        Assert.Equal(free, await AllocatedAsync("node-1"));

        // Back to where it came from, with what it held then; what the other one held is the copy now.
        await cluster.AnnotateAsync(volume, FailoverNames.RestoreCopy, "node-1/1");
        var third = await cluster.WaitUntilRunningAsync("restored", p => p.Metadata.Uid != second.Metadata.Uid && p.Spec.NodeName == "node-1", Limit);
        Assert.Equal(written, await HashAsync(third, volume));
        var copies = await ReadUntilAsync(
            volume,
            "{.spec.move.phase}|{range .spec.retiredCopies[*]}{.nodeName}/{.volumeGeneration}={.storedAs} {end}",
            text => text.StartsWith('|') && text.Contains("=volume", StringComparison.Ordinal));
        Assert.Equal($"|{second.Spec.NodeName}/2={RetiredCopyId.Of(volume.Handle, 2)} ", copies);
        Assert.DoesNotContain(FailoverNames.RestoreCopy, await cluster.ReadAsync(volume, "{.metadata.annotations}"), StringComparison.Ordinal);

        // Over a second time: the node is a place to go to again.
        await cluster.AnnotateAsync(volume, FailoverNames.MoveTo, second.Spec.NodeName);
        var fourth = await cluster.WaitUntilRunningAsync(
            "restored", p => p.Metadata.Uid != third.Metadata.Uid && p.Spec.NodeName == second.Spec.NodeName, Limit);
        Assert.Equal(written, await HashAsync(fourth, volume));

        await cluster.AnnotateAsync(volume, FailoverNames.DiscardCopy, $"{second.Spec.NodeName}/2");
        await ReadUntilAsync(volume, "{.spec.retiredCopies[*].volumeGeneration}", text => text == "3");
        var onDisk = await cluster.Cluster.Node(second.Spec.NodeName).Storage.ListVolumesAsync(Stop);
        Assert.Contains(onDisk.Keys, name => name.Contains(volume.Handle, StringComparison.Ordinal));
        Assert.DoesNotContain(onDisk.Keys, name => name.Contains(RetiredCopyId.Of(volume.Handle, 2), StringComparison.Ordinal));
        await AssertRefusedAsync(volume, FailoverNames.DiscardCopy, "node-1/77", "no copy of generation 77");
    }

    [Fact]
    public async Task A_volume_is_moved_with_what_it_holds_whether_its_pod_opted_in_or_not()
    {
        var (volume, before) = await cluster.RunAsync("moved", "node-2", new Dictionary<string, string>());
        var written = await WriteAsync(before, volume);
        await cluster.AnnotateAsync(volume, FailoverNames.MoveTo, "node-3");
        var after = await cluster.WaitUntilRunningAsync("moved", p => p.Metadata.Uid != before.Metadata.Uid && p.Spec.NodeName == "node-3", Limit);
        Assert.Equal(written, await HashAsync(after, volume));
        var history = await ReadUntilAsync(volume, "{.spec.move.phase}|{.spec.history[*].what}", text => text.StartsWith('|'));
        Assert.Contains("sha256 of all blocks", history, StringComparison.Ordinal);
        await AssertRefusedAsync(volume, FailoverNames.MoveTo, "node-3", "on node 'node-3' already");
        await AssertRefusedAsync(volume, FailoverNames.MoveTo, "node-33", "there is no node 'node-33'");
    }

    [Fact]
    public async Task A_disruption_budget_holds_a_move_up_and_it_can_be_cancelled_without_harm()
    {
        var (volume, before) = await cluster.RunAsync("budgeted", "node-3", new Dictionary<string, string>());
        var written = await WriteAsync(before, volume);
        var served = (await cluster.Truth.Plane.KubectlAsync("api-versions")).Split('\n', StringSplitOptions.TrimEntries);
        var budget = Path.GetTempFileName();
        await File.WriteAllTextAsync(
            budget,
            JsonSerializer.Serialize(new
            {
                apiVersion = served.Contains("policy/v1") ? "policy/v1" : "policy/v1beta1",
                kind = "PodDisruptionBudget",
                metadata = new { name = "budgeted", @namespace = FailoverCluster.Namespace },
                spec = new { minAvailable = 1, selector = new { matchLabels = new { app = "budgeted" } } },
            }),
            Stop);
        await cluster.Truth.Plane.KubectlAsync("create", "--filename", budget);
        File.Delete(budget);
        await cluster.AnnotateAsync(volume, FailoverNames.MoveTo, "node-1");
        await ReadUntilAsync(
            volume,
            "{.spec.move.phase}|{.spec.move.problem}",
            text => text.StartsWith("Preparing|", StringComparison.Ordinal) && text.Contains("budget", StringComparison.Ordinal));
        await AssertRefusedAsync(volume, FailoverNames.MoveTo, "node-2", "is being moved already");

        // It goes on being used, and what was copied goes away again.
        await File.WriteAllTextAsync(cluster.FileOf(before, volume, "still"), "data", Stop);
        await cluster.AnnotateAsync(volume, FailoverNames.CancelMove, "true");
        await ReadUntilAsync(volume, "{.spec.move}|{.spec.abandonedPlaces}", text => text == "|");
        Assert.DoesNotContain(
            (await cluster.Cluster.Node("node-1").Storage.ListVolumesAsync(Stop)).Keys,
            name => name.Contains(volume.Handle, StringComparison.Ordinal));
        Assert.Equal(written, await HashAsync(before, volume));
        await cluster.WaitUntilRunningAsync("budgeted", p => p.Metadata.Uid == before.Metadata.Uid);
    }

    [Fact]
    public async Task A_class_or_pod_that_asks_for_it_keeps_the_data_when_only_the_kubelet_is_lost()
    {
        var (volume, before) = await cluster.RunAsync("kept", "node-3", new Dictionary<string, string>(_optedIn) { [FailoverDataPolicy.Key] = "copy" });
        var written = await WriteAsync(before, volume);
        await cluster.StopKubeletAsync("node-3");
        var after = await cluster.WaitUntilRunningAsync("kept", p => p.Metadata.Uid != before.Metadata.Uid, Limit);
        await cluster.StartKubeletAsync("node-3");
        Assert.NotEqual("node-3", after.Spec.NodeName);
        Assert.Equal(written, await HashAsync(after, volume));
    }

    [Fact]
    public async Task A_node_is_evacuated_and_a_deleted_volume_takes_its_copies_with_it()
    {
        var (volume, before) = await cluster.RunAsync("evacuated", "node-2", new Dictionary<string, string>());
        var written = await WriteAsync(before, volume);
        await cluster.Truth.Plane.KubectlAsync("annotate", "node", "node-2", FailoverNames.Evacuate + "=true");
        var after = await cluster.WaitUntilRunningAsync("evacuated", p => p.Metadata.Uid != before.Metadata.Uid && p.Spec.NodeName != "node-2", Limit);
        Assert.Equal(written, await HashAsync(after, volume));
        await Eventually.ReadAsync(
            "node-2 to be empty",
            () => cluster.Truth.Plane.KubectlAsync(
                "get", "events", "--all-namespaces", "--field-selector", $"reason={FailoverNames.Evacuated}", "--output", "jsonpath={.items[*].message}"),
            text => text.Contains("node-2", StringComparison.Ordinal),
            Stop,
            Limit);
        await cluster.Truth.Plane.KubectlAsync("annotate", "node", "node-2", FailoverNames.Evacuate + "-");

        await cluster.Api.AppsV1.DeleteNamespacedStatefulSetAsync("evacuated", FailoverCluster.Namespace, cancellationToken: Stop);
        await Eventually.ReadAsync(
            "the pod to be gone",
            () => cluster.Api.CoreV1.ListNamespacedPodAsync(FailoverCluster.Namespace, labelSelector: "app=evacuated", cancellationToken: Stop),
            pods => pods.Items.Count == 0,
            Stop);
        await cluster.Cluster.Provisioner.DeleteAsync(volume, Stop);
        foreach (var node in new[] { "node-1", "node-2", "node-3" })
        {
            Assert.DoesNotContain(
                (await cluster.Cluster.Node(node).Storage.ListVolumesAsync(Stop)).Keys,
                name => name.Contains(volume.Handle, StringComparison.Ordinal));
        }
    }

    private static TimeSpan Limit => TimeSpan.FromMinutes(2);

    private async Task<string> WriteAsync(V1Pod pod, PersistentVolume volume)
    {
        var data = RandomNumberGenerator.GetBytes(5_000_000);
        await using var file = File.Create(cluster.FileOf(pod, volume, "data"));
        await file.WriteAsync(data, Stop);
        file.Flush(flushToDisk: true);
        return Convert.ToHexString(SHA256.HashData(data));
    }

    private async Task<string> HashAsync(V1Pod pod, PersistentVolume volume) =>
        Convert.ToHexString(SHA256.HashData(await File.ReadAllBytesAsync(cluster.FileOf(pod, volume, "data"), Stop)));

    private Task<string> AllocatedAsync(string node) =>
        cluster.Truth.Plane.KubectlAsync("get", "nsr", node, "--output", "jsonpath={.status.allocatable}");

    private Task<string> ReadUntilAsync(PersistentVolume volume, string path, Func<string, bool> isRight) =>
        Eventually.ReadAsync($"{path} of {volume.Name}", () => cluster.ReadAsync(volume, path), isRight, Stop, Limit);

    private async Task AssertRefusedAsync(PersistentVolume volume, string key, string value, string reason)
    {
        await cluster.AnnotateAsync(volume, key, value);
        await Eventually.ReadAsync(
            $"the refusal of {key}={value}",
            () => cluster.Truth.Plane.KubectlAsync(
                "get", "events", "--all-namespaces", "--field-selector", $"reason={FailoverNames.MoveRefused}", "--output", "jsonpath={.items[*].message}"),
            text => text.Contains(reason, StringComparison.Ordinal),
            Stop);
        await ReadUntilAsync(volume, "{.metadata.annotations}", text => !text.Contains(key, StringComparison.Ordinal));
    }
}
