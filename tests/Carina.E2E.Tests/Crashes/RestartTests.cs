using Carina.E2E.Tests.Clusters;
using Carina.Harness.Data;
using Carina.Harness.Sidecars;
using ClusterMember = Carina.Harness.Cluster.ClusterMember;

namespace Carina.E2E.Tests.Crashes;

/// <summary>Processes that are killed, and stopped, while volumes are in use.</summary>
public abstract class RestartTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    private const long Size = 64 * MiB;

    [Fact]
    public async Task A_killed_node_comes_back_with_its_volumes_and_its_ledger()
    {
        var volume = await ProvisionAsync(new() { Bytes = Size, FileSystem = "ext4" }, "node-1");
        var node = Cluster.Node("node-1");
        await using var pod = await RunPodAsync(volume);
        await using var writer = SteadyWriter.Start(pod.File("journal"), 0, 4 * MiB, 1);
        await writer.WaitForAsync(MiB, Stop);
        var ledger = await GetCapacitiesAsync();

        await node.KillAsync(Stop);
        await RestartAfterAsync(node, async () =>
        {
            await writer.WaitForAsync(MiB, Stop);
            var elsewhere = await Retry.CallAsync(() => ProvisionAsync(new() { Bytes = Size }, "node-2"), Stop);
            await Cluster.Provisioner.DeleteAsync(elsewhere, Stop);
        });

        Assert.Equal(ledger, await GetCapacitiesAsync());
        await writer.StopAndVerifyAsync(Stop);
        Assert.False((await node.Kubelet.GetStatsAsync(volume, pod.Uid, Stop)).VolumeCondition.Abnormal);
        var (grown, _) = await Cluster.Resizer.ExpandAsync(volume, 2 * Size, Stop);
        Assert.Equal([grown.Bytes], await FindOnDisksAsync(volume.Handle));
    }

    [Fact]
    public async Task A_killed_controller_comes_back_and_knows_every_volume()
    {
        var volume = await ProvisionAsync(new() { Bytes = Size });
        var ledger = await GetCapacitiesAsync();
        await using var pod = await RunPodAsync(volume);
        await Cluster.Controller.KillAsync(Stop);
        await Cluster.RestartAsync(Cluster.Controller, Stop);
        Assert.Equal(ledger, await GetCapacitiesAsync());
        var listed = await Controller.ListVolumesAsync(new(), cancellationToken: Stop);
        Assert.Equal(volume.Handle, listed.Entries.Single().Volume.VolumeId);
    }

    [Fact]
    public async Task Everything_can_be_killed_at_once()
    {
        var volume = await ProvisionAsync(new() { Bytes = Size, FileSystem = "ext4" });
        var ledger = await GetCapacitiesAsync();
        await using var pod = await RunPodAsync(volume);
        var hash = await VolumeData.WriteAsync(pod.File("data"), 4 * MiB, 1, Stop);
        await Task.WhenAll(Cluster.Members.Select(m => m.KillAsync(Stop)));
        foreach (var member in Cluster.Members)
        {
            member.Start();
        }

        await Cluster.WaitUntilReadyAsync(Stop);
        Assert.Equal(ledger, await GetCapacitiesAsync());
        Assert.Equal([volume.Bytes], await FindOnDisksAsync(volume.Handle));
        Assert.Equal(hash, await VolumeData.HashAsync(pod.File("data"), 4 * MiB, Stop));
    }

    [Fact]
    public async Task A_node_stops_when_asked_to_and_leaves_its_pods_alone()
    {
        var volume = await ProvisionAsync(new() { Bytes = Size, FileSystem = "ext4" }, "node-2");
        await using var pod = await RunPodAsync(volume);
        await using var writer = SteadyWriter.Start(pod.File("journal"), 0, 4 * MiB, 1);
        Assert.True(await Cluster.Node("node-2").StopAsync(Stop), "It had to be killed.");
        await RestartAfterAsync(Cluster.Node("node-2"), async () =>
        {
            await writer.WaitForAsync(MiB, Stop);
            await writer.StopAndVerifyAsync(Stop);
        });
    }

    [Fact]
    public async Task A_dead_node_gets_no_volumes()
    {
        var node = Cluster.Node("node-3");
        await node.KillAsync(Stop);
        await RestartAfterAsync(node, async () =>
        {
            for (var i = 0; i < 3; i++)
            {
                var request = new VolumeRequest { Bytes = Size };
                Assert.NotEqual("node-3", (await Retry.CallAsync(() => ProvisionAsync(request), Stop)).Node);
            }
        });
    }

    // A member that is not there would spoil what comes after, whatever went wrong before.
    private async Task RestartAfterAsync(ClusterMember member, Func<Task> work)
    {
        try
        {
            await work();
        }
        finally
        {
            await Cluster.RestartAsync(member, Stop);
        }
    }
}

[Collection(FileCollection.Name)]
public sealed class FileRestartTests(ThreeFileNodes fixture) : RestartTests(fixture);

[Collection(LvmCollection.Name)]
[Trait(Kernel.Trait, Kernel.DeviceMapper)]
public sealed class LvmRestartTests(ThreeLvmNodes fixture) : RestartTests(fixture);

[Collection(KubernetesCollection.Name)]
public sealed class KubernetesRestartTests(ThreeKubernetesNodes fixture) : RestartTests(fixture);
