using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Carina.Grains;
using Carina.Harness.Csi;
using Carina.Harness.Disks;
using Carina.Harness.Sidecars;
using Csi.V1;

namespace Carina.Harness.Kubelet;

/// <summary>
/// Calls the node service as kubelet does, with its paths and its share of the directories: kubelet makes the staging
/// directory and the parent of the target, the driver makes the target; kubelet removes what it made
/// (kubernetes/pkg/volume/csi: csi_attacher.go, csi_mounter.go, csi_block.go).
/// </summary>
public sealed class KubeletSim(string root, CsiClient node)
{
    private const UnixFileMode DirectoryMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute;

    /// <summary>kubelet's root directory.</summary>
    public string Root => root;

    public string StagingPath(PersistentVolume volume) => volume.Request.Block
        ? $"{root}/plugins/kubernetes.io/csi/volumeDevices/staging/{volume.Name}"
        : $"{root}/plugins/kubernetes.io/csi/{CarinaNames.Driver}/{HashOf(volume.Handle)}/globalmount";

    public string TargetPath(PersistentVolume volume, string podUid) => volume.Request.Block
        ? $"{root}/plugins/kubernetes.io/csi/volumeDevices/publish/{volume.Name}/{podUid}"
        : $"{root}/pods/{podUid}/volumes/kubernetes.io~csi/{volume.Name}/mount";

    /// <summary>MountDevice: prepares the volume on the node, once for all its pods.</summary>
    public async Task StageAsync(PersistentVolume volume, CancellationToken cancellationToken)
    {
        var path = StagingPath(volume);
        MakeDirectory(path);
        if (!volume.Request.Block)
        {
            await WriteVolumeDataAsync(Path.GetDirectoryName(path)!, volume, cancellationToken);
        }

        await node.Node.NodeStageVolumeAsync(
            new()
            {
                VolumeId = volume.Handle,
                StagingTargetPath = path,
                VolumeCapability = volume.Capability,
                VolumeContext = { volume.Attributes.ToDictionary() },
            },
            cancellationToken: cancellationToken);
    }

    /// <summary>SetUp: brings the volume to a pod; returns the path the pod sees.</summary>
    public async Task<string> PublishAsync(
        PersistentVolume volume, string podUid, CancellationToken cancellationToken, bool readOnly = false)
    {
        var path = TargetPath(volume, podUid);
        MakeDirectory(Path.GetDirectoryName(path)!);
        if (!volume.Request.Block)
        {
            await WriteVolumeDataAsync(Path.GetDirectoryName(path)!, volume, cancellationToken);
        }

        await node.Node.NodePublishVolumeAsync(
            new()
            {
                VolumeId = volume.Handle,
                StagingTargetPath = StagingPath(volume),
                TargetPath = path,
                VolumeCapability = volume.Capability,
                Readonly = readOnly,
                VolumeContext = { volume.Attributes.ToDictionary(), PodInfo(podUid) },
            },
            cancellationToken: cancellationToken);
        return path;
    }

    /// <summary>TearDown: takes the volume away from a pod.</summary>
    public async Task UnpublishAsync(PersistentVolume volume, string podUid, CancellationToken cancellationToken)
    {
        var path = TargetPath(volume, podUid);
        await node.Node.NodeUnpublishVolumeAsync(
            new() { VolumeId = volume.Handle, TargetPath = path }, cancellationToken: cancellationToken);
        if (Path.Exists(path))
        {
            throw new HarnessException($"NodeUnpublishVolume succeeded but left {path} behind.");
        }

        RemoveMadeDirectory(Path.GetDirectoryName(path)!);
    }

    /// <summary>UnmountDevice: takes the volume away from the node.</summary>
    public async Task UnstageAsync(PersistentVolume volume, CancellationToken cancellationToken)
    {
        var path = StagingPath(volume);
        await node.Node.NodeUnstageVolumeAsync(
            new() { VolumeId = volume.Handle, StagingTargetPath = path }, cancellationToken: cancellationToken);
        RemoveMadeDirectory(path);
        if (!volume.Request.Block)
        {
            RemoveMadeDirectory(Path.GetDirectoryName(path)!);
        }
    }

    /// <summary>Lets the file system follow a grown device; returns the size in bytes the driver reports.</summary>
    public async Task<long> ExpandAsync(PersistentVolume volume, string podUid, CancellationToken cancellationToken)
    {
        var response = await node.Node.NodeExpandVolumeAsync(
            new()
            {
                VolumeId = volume.Handle,
                VolumePath = TargetPath(volume, podUid),
                StagingTargetPath = StagingPath(volume),
                CapacityRange = new() { RequiredBytes = volume.Bytes },
                VolumeCapability = volume.Capability,
            },
            cancellationToken: cancellationToken);
        return response.CapacityBytes;
    }

    public async Task<NodeGetVolumeStatsResponse> GetStatsAsync(
        PersistentVolume volume, string podUid, CancellationToken cancellationToken) =>
        await node.Node.NodeGetVolumeStatsAsync(
            new()
            {
                VolumeId = volume.Handle,
                VolumePath = TargetPath(volume, podUid),
                StagingTargetPath = StagingPath(volume),
            },
            cancellationToken: cancellationToken);

    private static Dictionary<string, string> PodInfo(string podUid) => new()
    {
        ["csi.storage.k8s.io/pod.name"] = "pod-" + podUid[..8],
        ["csi.storage.k8s.io/pod.namespace"] = "default",
        ["csi.storage.k8s.io/pod.uid"] = podUid,
        ["csi.storage.k8s.io/serviceAccount.name"] = "default",
        ["csi.storage.k8s.io/ephemeral"] = "false",
    };

    private static string HashOf(string handle) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(handle)));

    private static void MakeDirectory(string path) => Directory.CreateDirectory(path, DirectoryMode);

    private static Task WriteVolumeDataAsync(
        string directory, PersistentVolume volume, CancellationToken cancellationToken) =>
        File.WriteAllTextAsync(
            Path.Combine(directory, "vol_data.json"),
            JsonSerializer.Serialize(new Dictionary<string, string>
            {
                ["driverName"] = CarinaNames.Driver,
                ["specVolID"] = volume.Name,
                ["volumeHandle"] = volume.Handle,
            }),
            cancellationToken);

    // Like kubelet: never below a mount, and nothing that it did not make itself.
    private static void RemoveMadeDirectory(string path)
    {
        if (MountTable.Below(path).Count > 0)
        {
            throw new HarnessException($"Something is still mounted at or below {path}.");
        }

        if (!Directory.Exists(path))
        {
            return;
        }

        // Another pod's device file may share the directory.
        File.Delete(Path.Combine(path, "vol_data.json"));
        if (!Directory.EnumerateFileSystemEntries(path).Any())
        {
            Directory.Delete(path);
        }
    }
}
