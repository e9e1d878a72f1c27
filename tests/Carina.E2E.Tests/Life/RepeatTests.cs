using Carina.E2E.Tests.Clusters;
using Carina.Harness.Disks;
using Carina.Harness.Sidecars;
using Grpc.Core;

namespace Carina.E2E.Tests.Life;

/// <summary>Callers repeat every call: after a time-out, after a restart of theirs, or two at the same time.</summary>
public abstract class RepeatTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    private const int AtOnce = 8;
    private const long Size = 64 * MiB;

    [Fact]
    public async Task Creating_again_gives_the_same_volume()
    {
        var request = new VolumeRequest { Bytes = Size };
        var first = await ProvisionAsync(request);
        var second = await ProvisionAsync(request);
        Assert.Equal((first.Handle, first.Bytes, first.Node), (second.Handle, second.Bytes, second.Node));
        Assert.Equal([first.Bytes], await FindOnDisksAsync(first.Handle));
    }

    [Fact]
    public async Task Creating_at_the_same_time_gives_one_volume()
    {
        var request = new VolumeRequest { Bytes = Size };
        var volumes = await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => Retry.CallAsync(() => ProvisionAsync(request), Stop)));
        Assert.Single(volumes.Select(v => (v.Handle, v.Node, v.Bytes)).Distinct());
        Assert.Equal([volumes[0].Bytes], await FindOnDisksAsync(volumes[0].Handle));
    }

    [Fact]
    public async Task The_same_name_for_something_else_already_exists()
    {
        var request = new VolumeRequest { Bytes = Size };
        var volume = await ProvisionAsync(request);
        await RequireErrorAsync(
            StatusCode.AlreadyExists, () => ProvisionAsync(request with { Bytes = 4 * Size }));
        await RequireErrorAsync(StatusCode.AlreadyExists, () => ProvisionAsync(request with { Block = true }));
        Assert.Equal([volume.Bytes], await FindOnDisksAsync(volume.Handle));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Every_call_can_be_repeated(bool block)
    {
        var request = block ? new VolumeRequest { Bytes = Size, Block = true } : new() { Bytes = 5 * Size, FileSystem = "xfs" };
        var volume = await ProvisionAsync(request);
        var kubelet = Cluster.Node(volume.Node).Kubelet;
        var pod = Guid.NewGuid().ToString();
        await TwiceAsync(() => kubelet.StageAsync(volume, Stop));
        await TwiceAsync(() => kubelet.PublishAsync(volume, pod, Stop));
        Assert.Single(MountTable.Read(), m => m.MountPoint == kubelet.TargetPath(volume, pod));

        var grown = volume;
        await TwiceAsync(async () => (grown, _) = await Cluster.Resizer.ExpandAsync(volume, 6 * Size, Stop));
        Assert.Equal(6 * Size, grown.Bytes);
        await TwiceAsync(() => kubelet.ExpandAsync(grown, pod, Stop));

        await TwiceAsync(() => kubelet.UnpublishAsync(grown, pod, Stop));
        await TwiceAsync(() => kubelet.UnstageAsync(grown, Stop));
        Assert.Empty(MountTable.Below(kubelet.Root));
        await TwiceAsync(() => Cluster.Provisioner.DeleteAsync(grown, Stop));
        Assert.Empty(await FindOnDisksAsync(volume.Handle));
    }

    [Fact]
    public async Task Staging_at_the_same_time_mounts_once()
    {
        var volume = await ProvisionAsync(new() { Bytes = Size, FileSystem = "ext4" });
        var kubelet = Cluster.Node(volume.Node).Kubelet;
        await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(
            _ => Retry.CallAsync(() => kubelet.StageAsync(volume, Stop), Stop)));
        Assert.Single(MountTable.Below(kubelet.Root));
        await kubelet.UnstageAsync(volume, Stop);
    }

    [Fact]
    public async Task Creating_and_deleting_at_the_same_time_ends_in_one_or_the_other()
    {
        var request = new VolumeRequest { Bytes = Size };
        for (var round = 0; round < 5; round++)
        {
            var volume = await ProvisionAsync(request);
            await Task.WhenAll(
                Retry.CallAsync(() => Cluster.Provisioner.DeleteAsync(volume, Stop), Stop),
                Retry.CallAsync(() => ProvisionAsync(request), Stop));
            var exists = (await Controller.ListVolumesAsync(new(), cancellationToken: Stop)).Entries.Count;
            Assert.Equal(exists, (await FindOnDisksAsync(volume.Handle)).Count);
        }
    }

    [Fact]
    public async Task What_is_not_there_is_gone_already()
    {
        var node = Cluster.Nodes[0];
        await Controller.DeleteVolumeAsync(new() { VolumeId = "volume-never-was" }, cancellationToken: Stop);
        await Controller.DeleteVolumeAsync(new() { VolumeId = "no handle of ours" }, cancellationToken: Stop);
        await node.Csi.Node.NodeUnpublishVolumeAsync(
            new() { VolumeId = "volume-never-was", TargetPath = $"{node.Kubelet.Root}/pods/x/mount" }, cancellationToken: Stop);
        await node.Csi.Node.NodeUnstageVolumeAsync(
            new() { VolumeId = "volume-never-was", StagingTargetPath = $"{node.Kubelet.Root}/x/globalmount" },
            cancellationToken: Stop);
    }

    private static async Task TwiceAsync(Func<Task> call)
    {
        await call();
        await call();
    }
}

[Collection(FileCollection.Name)]
public sealed class FileRepeatTests(ThreeFileNodes fixture) : RepeatTests(fixture);

[Collection(LvmCollection.Name)]
[Trait(Kernel.Trait, Kernel.DeviceMapper)]
public sealed class LvmRepeatTests(ThreeLvmNodes fixture) : RepeatTests(fixture);

[Collection(KubernetesCollection.Name)]
public sealed class KubernetesRepeatTests(ThreeKubernetesNodes fixture) : RepeatTests(fixture);
