using Carina.E2E.Tests.Clusters;
using Carina.Grains;
using Carina.Harness.Sidecars;
using Csi.V1;
using Grpc.Core;
using Mode = Csi.V1.VolumeCapability.Types.AccessMode.Types.Mode;

namespace Carina.E2E.Tests.Input;

/// <summary>Nonsense is answered with the right code and a sentence; no disk is changed and no process is started.</summary>
public abstract class BadInputTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    public static TheoryData<string> BadCreations => [.. Creations.Keys];

    public static TheoryData<string> BadNodeCalls => [.. NodeCalls.Keys];

    private static Dictionary<string, (StatusCode Code, Action<CreateVolumeRequest> Spoil)> Creations { get; } = new()
    {
        ["no name"] = (StatusCode.InvalidArgument, c => c.Name = ""),
        ["name with a slash"] = (StatusCode.InvalidArgument, c => c.Name = "../../etc/passwd"),
        ["name of a mebibyte"] = (StatusCode.InvalidArgument, c => c.Name = new string('x', 1 << 20)),
        ["no capability"] = (StatusCode.InvalidArgument, c => c.VolumeCapabilities.Clear()),
        ["capability without access"] = (StatusCode.InvalidArgument, c => c.VolumeCapabilities[0] = new()
        {
            AccessMode = new() { Mode = Mode.SingleNodeWriter },
        }),
        ["block and mount"] = (StatusCode.InvalidArgument, c => c.VolumeCapabilities.Add(
            PersistentVolume.ToCapability(new() { Bytes = 1, Block = true }))),
        ["many writers"] = (StatusCode.InvalidArgument, c =>
            c.VolumeCapabilities[0].AccessMode.Mode = Mode.MultiNodeMultiWriter),
        ["unknown file system"] = (StatusCode.InvalidArgument, c => c.VolumeCapabilities[0].Mount.FsType = "ntfs; reboot"),
        ["mount flag with an option"] = (StatusCode.InvalidArgument, c =>
            c.VolumeCapabilities[0].Mount.MountFlags.Add("--bind")),
        ["unknown parameter"] = (StatusCode.InvalidArgument, c => c.Parameters["carina.storage.io/disk-group"] = "x"),
        ["pool with a path"] = (StatusCode.InvalidArgument, c => c.Parameters[CarinaNames.DiskGroup] = "$(reboot)"),
        ["pool that nobody has"] = (StatusCode.ResourceExhausted, c => c.Parameters[CarinaNames.DiskGroup] = "no-such-pool"),
        ["negative size"] = (StatusCode.InvalidArgument, c => c.CapacityRange = new() { RequiredBytes = -1 }),
        ["largest number"] = (StatusCode.OutOfRange, c => c.CapacityRange = new() { RequiredBytes = long.MaxValue }),
        ["limit below size"] = (StatusCode.InvalidArgument, c =>
            c.CapacityRange = new() { RequiredBytes = 64 * MiB, LimitBytes = 32 * MiB }),
        ["content source"] = (StatusCode.InvalidArgument, c => c.VolumeContentSource = new()
        {
            Snapshot = new() { SnapshotId = "none" },
        }),
    };

    private static Dictionary<string, (StatusCode Code, Action<NodePublishVolumeRequest> Spoil)> NodeCalls { get; } = new()
    {
        ["no volume"] = (StatusCode.InvalidArgument, c => c.VolumeId = ""),
        ["unknown volume"] = (StatusCode.NotFound, c => c.VolumeId = "volume-never-was"),
        ["no target"] = (StatusCode.InvalidArgument, c => c.TargetPath = ""),
        ["relative target"] = (StatusCode.InvalidArgument, c => c.TargetPath = "pods/x/mount"),
        ["target outside"] = (StatusCode.InvalidArgument, c => c.TargetPath = "/etc/carina-was-here"),
        ["target with a way out"] = (StatusCode.InvalidArgument, c => c.TargetPath += "/../../../../../../../etc/x"),
        ["target through a link"] = (StatusCode.InvalidArgument, c =>
        {
            var link = Path.Combine(Path.GetDirectoryName(c.TargetPath)!, "link");
            Directory.CreateDirectory(Path.GetDirectoryName(link)!);
            File.CreateSymbolicLink(link, "/etc");
            c.TargetPath = link + "/carina-was-here";
        }
        ),
        ["no staging path"] = (StatusCode.FailedPrecondition, c => c.StagingTargetPath = ""),
        ["no capability"] = (StatusCode.InvalidArgument, c => c.VolumeCapability = null),
        ["block for a file system"] = (StatusCode.FailedPrecondition, c =>
            c.VolumeCapability = PersistentVolume.ToCapability(new() { Bytes = 1, Block = true })),
        ["another file system"] = (StatusCode.FailedPrecondition, c => c.VolumeCapability.Mount.FsType = "xfs"),
    };

    [Theory]
    [MemberData(nameof(BadCreations))]
    public async Task A_bad_creation_is_refused(string what)
    {
        var (code, spoil) = Creations[what];
        var call = ProvisionerSim.ToCall(new() { Bytes = 64 * MiB, FileSystem = "ext4" }, selectedNode: null);
        spoil(call);
        await RequireUntouchedAsync(() => RequireErrorAsync(
            code, async () => await Controller.CreateVolumeAsync(call, cancellationToken: Stop)));
    }

    [Theory]
    [MemberData(nameof(BadNodeCalls))]
    public async Task A_bad_publication_is_refused(string what)
    {
        var (code, spoil) = NodeCalls[what];
        var volume = await ProvisionAsync(new() { Bytes = 64 * MiB, FileSystem = "ext4" });
        var node = Cluster.Node(volume.Node);
        var pod = Guid.NewGuid().ToString();
        var call = new NodePublishVolumeRequest
        {
            VolumeId = volume.Handle,
            StagingTargetPath = node.Kubelet.StagingPath(volume),
            TargetPath = node.Kubelet.TargetPath(volume, pod),
            VolumeCapability = volume.Capability,
        };
        spoil(call);
        try
        {
            await RequireUntouchedAsync(() => RequireErrorAsync(
                code, async () => await node.Csi.Node.NodePublishVolumeAsync(call, cancellationToken: Stop)));
            Assert.False(Path.Exists("/etc/carina-was-here"));
        }
        finally
        {
            var pods = Path.Combine(node.Kubelet.Root, "pods");
            if (Directory.Exists(pods))
            {
                Directory.Delete(pods, recursive: true);
            }
        }
    }

    [Fact]
    public async Task A_bad_expansion_is_refused()
    {
        var volume = await ProvisionAsync(new() { Bytes = 64 * MiB });
        await RequireUntouchedAsync(async () =>
        {
            await RequireErrorAsync(StatusCode.InvalidArgument, () => ExpandAsync(volume.Handle, null));
            await RequireErrorAsync(StatusCode.InvalidArgument, () => ExpandAsync("", new() { RequiredBytes = 1 }));
            await RequireErrorAsync(StatusCode.InvalidArgument, () => ExpandAsync(volume.Handle, new() { RequiredBytes = -1 }));
            await RequireErrorAsync(StatusCode.NotFound, () => ExpandAsync("volume-never-was", new() { RequiredBytes = 1 }));
            await RequireErrorAsync(
                StatusCode.OutOfRange, () => ExpandAsync(volume.Handle, new() { RequiredBytes = long.MaxValue }));
            await RequireErrorAsync(
                StatusCode.OutOfRange, () => ExpandAsync(volume.Handle, new() { RequiredBytes = 1, LimitBytes = 2 }));
        });
    }

    private async Task ExpandAsync(string handle, CapacityRange? range) => await Controller.ControllerExpandVolumeAsync(
        new() { VolumeId = handle, CapacityRange = range }, cancellationToken: Stop);

    private async Task RequireUntouchedAsync(Func<Task> call)
    {
        // An LVM session that ends because it was idle shows among the children's faults; a process that the call
        // starts would show each time.
        const int tries = 3;
        for (var i = 1; ; i++)
        {
            var before = await LookAsync();
            await call();
            var after = await LookAsync();
            if (before.SequenceEqual(after) || i == tries)
            {
                Assert.Equal(before, after);
                return;
            }
        }
    }

    private async Task<IReadOnlyList<string>> LookAsync()
    {
        var seen = new List<string>();
        foreach (var node in Cluster.Nodes)
        {
            seen.AddRange((await node.Storage.ListVolumesAsync(Stop)).Select(v => $"{node.Name}: {v.Key} {v.Value}").Order());
            seen.AddRange(Harness.Disks.MountTable.Below(node.Kubelet.Root).Select(m => $"{node.Name}: {m.MountPoint}"));
        }

        seen.AddRange(Cluster.Members.Select(m => $"{m.Name}: {m.Process!.ChildrenFaults} faults of children"));
        return seen;
    }
}

[Collection(FileCollection.Name)]
public sealed class FileBadInputTests(ThreeFileNodes fixture) : BadInputTests(fixture);

[Collection(LvmCollection.Name)]
[Trait(Kernel.Trait, Kernel.DeviceMapper)]
public sealed class LvmBadInputTests(ThreeLvmNodes fixture) : BadInputTests(fixture);
