using Carina.E2E.Tests.Clusters;
using Carina.Harness.Data;
using Carina.Harness.Processes;
using Carina.Harness.Sidecars;
using Grpc.Core;

namespace Carina.E2E.Tests.Life;

/// <summary>Volumes as pods see them.</summary>
public abstract class LifeTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    private const long DataBytes = 8 * MiB;
    private const long Size = 320 * MiB;

    [Theory]
    [InlineData("xfs")]
    [InlineData("btrfs")]
    [InlineData("block")]
    public Task Data_survives_expansion_and_a_change_of_pods(string kind) => LiveAsync(kind);

    [Fact]
    [Trait(Kernel.Trait, Kernel.GrowingExt4)]
    public Task Data_on_ext4_survives_expansion_and_a_change_of_pods() => LiveAsync("ext4");

    [Fact]
    public async Task A_read_only_pod_sees_data_and_cannot_write()
    {
        var volume = await ProvisionAsync(Request("ext4"));
        var kubelet = Cluster.Node(volume.Node).Kubelet;
        await using var writer = await RunPodAsync(volume);
        var hash = await VolumeData.WriteAsync(writer.File("data"), DataBytes, 1, Stop);
        var reader = Guid.NewGuid().ToString();
        var path = await kubelet.PublishAsync(volume, reader, Stop, readOnly: true);
        Assert.Equal(hash, await VolumeData.HashAsync(Path.Combine(path, "data"), DataBytes, Stop));
        await Assert.ThrowsAsync<IOException>(() => File.WriteAllTextAsync(Path.Combine(path, "more"), "x", Stop));
        await kubelet.UnpublishAsync(volume, reader, Stop);
        await File.WriteAllTextAsync(writer.File("more"), "x", Stop);
    }

    [Fact]
    public async Task The_root_of_the_file_system_belongs_to_the_pods_group()
    {
        var volume = await ProvisionAsync(Request("ext4"));
        var kubelet = Cluster.Node(volume.Node).Kubelet;
        await using var pod = await RunPodAsync(volume);
        var capability = volume.Capability;
        capability.Mount.VolumeMountGroup = "4711";
        var uid = Guid.NewGuid().ToString();
        var path = kubelet.TargetPath(volume, uid);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        await Cluster.Node(volume.Node).Csi.Node.NodePublishVolumeAsync(
            new()
            {
                VolumeId = volume.Handle,
                StagingTargetPath = kubelet.StagingPath(volume),
                TargetPath = path,
                VolumeCapability = capability,
            },
            cancellationToken: Stop);
        Assert.Equal("4711", (await Command.RunAsync("stat", ["--format=%g", path], Stop)).Trim());
        await kubelet.UnpublishAsync(volume, uid, Stop);
    }

    [Fact]
    public async Task Mount_options_reach_the_mount()
    {
        var volume = await ProvisionAsync(Request("ext4") with { MountOptions = ["noatime"] });
        await using var pod = await RunPodAsync(volume);
        var mount = Harness.Disks.MountTable.Read().Last(m => m.MountPoint == pod.Path);
        Assert.Contains("noatime", mount.Options.Split(','));
    }

    [Fact]
    public async Task Statistics_follow_what_is_written()
    {
        var volume = await ProvisionAsync(Request("ext4"));
        await using var pod = await RunPodAsync(volume);
        var kubelet = Cluster.Node(volume.Node).Kubelet;
        var before = await kubelet.GetStatsAsync(volume, pod.Uid, Stop);
        await VolumeData.WriteAsync(pod.File("data"), DataBytes, 1, Stop);
        var after = await kubelet.GetStatsAsync(volume, pod.Uid, Stop);
        Assert.False(after.VolumeCondition.Abnormal, after.VolumeCondition.Message);
        Assert.InRange(after.Usage[0].Used - before.Usage[0].Used, DataBytes, DataBytes + MiB);
        Assert.Equal(before.Usage[1].Used + 1, after.Usage[1].Used);
    }

    [Fact]
    public async Task A_volume_in_use_is_not_deleted()
    {
        var volume = await ProvisionAsync(Request("ext4"));
        await using var pod = await RunPodAsync(volume);
        var hash = await VolumeData.WriteAsync(pod.File("data"), DataBytes, 1, Stop);
        await RequireErrorAsync(
            StatusCode.FailedPrecondition, () => Cluster.Provisioner.DeleteAsync(volume, Stop));
        Assert.Equal(hash, await VolumeData.HashAsync(pod.File("data"), DataBytes, Stop));
    }

    [Fact]
    public async Task Another_node_may_not_use_the_volume()
    {
        var volume = await ProvisionAsync(Request("ext4"), "node-1");
        var other = Cluster.Node("node-2").Kubelet;
        await RequireErrorAsync(StatusCode.FailedPrecondition, () => other.StageAsync(volume, Stop));
        await other.UnstageAsync(volume, Stop);
    }

    private async Task LiveAsync(string kind)
    {
        var volume = await ProvisionAsync(Request(kind), "node-2");
        Assert.Equal("node-2", volume.Node);
        string hash;
        await using (var pod = await RunPodAsync(volume))
        {
            hash = await VolumeData.WriteAsync(pod.File("data"), DataBytes, 1, Stop);
            volume = await ExpandWhileWritingAsync(volume, pod, kind);
        }

        await using (var pod = await RunPodAsync(volume))
        {
            Assert.Equal(hash, await VolumeData.HashAsync(pod.File("data"), DataBytes, Stop));
        }

        Assert.Equal([volume.Bytes], await FindOnDisksAsync(volume.Handle));
    }

    private async Task<PersistentVolume> ExpandWhileWritingAsync(PersistentVolume volume, Pod pod, string kind)
    {
        var kubelet = Cluster.Node(volume.Node).Kubelet;
        var offset = kind == "block" ? DataBytes : 0;
        await using var writer = SteadyWriter.Start(pod.File("journal"), offset, 4 * MiB, 2);
        await writer.WaitForAsync(MiB, Stop);
        var before = (await kubelet.GetStatsAsync(volume, pod.Uid, Stop)).Usage[0].Total;
        var (grown, nodeToo) = await Cluster.Resizer.ExpandAsync(volume, volume.Bytes + (128 * MiB), Stop);
        if (nodeToo)
        {
            Assert.Equal(grown.Bytes, await kubelet.ExpandAsync(grown, pod.Uid, Stop));
        }

        await writer.WaitForAsync(MiB, Stop);
        await writer.StopAndVerifyAsync(Stop);
        var after = (await kubelet.GetStatsAsync(grown, pod.Uid, Stop)).Usage[0].Total;
        Assert.InRange(after - before, 120 * MiB, 128 * MiB);
        return grown;
    }

    private static VolumeRequest Request(string kind) => kind == "block"
        ? new() { Bytes = Size, Block = true }
        : new() { Bytes = Size, FileSystem = kind };
}

[Collection(FileCollection.Name)]
public sealed class FileLifeTests(ThreeFileNodes fixture) : LifeTests(fixture);

[Collection(LvmCollection.Name)]
[Trait(Kernel.Trait, Kernel.DeviceMapper)]
public sealed class LvmLifeTests(ThreeLvmNodes fixture) : LifeTests(fixture);
