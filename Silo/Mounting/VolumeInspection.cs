using System.Globalization;
using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Linux;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Mounting;

/// <summary>Usage and health of a mounted volume, and its growth.</summary>
internal sealed class VolumeInspection(VolumeDevices devices, FileSystems fileSystems, NodeVolumesOptions options)
{
    private const string Healthy = "";

    // How the kernel shows a file system that it does not write to any more. Some stable kernels (6.1.176 seen) show
    // nothing for an ext4 that stopped; its count of errors tells then.
    private static readonly string[] _stopped = ["ro", "emergency_ro", "shutdown"];

    public VolumeUsage GetUsage(DiskVolumeKey key, string path)
    {
        var (mounted, handle) = Demand(key.VolumeId, path);
        using (handle)
        {
            var number = MountTable.DeviceOf(mounted)!.Value;
            var problem = FindProblem(mounted, number, handle);
            if (IsNode(mounted, handle))
                return new VolumeUsage { TotalBytes = BlockDeviceNode.BytesOf(number), Problem = problem };

            if (Libc.FStatVfs(handle, out var usage) != 0)
                throw LinuxError.Last($"read the usage of {mounted.MountPoint}");

            var unit = (long)usage.FragmentSize;
            var hasInodes = usage.Files > 0;
            return new VolumeUsage
            {
                TotalBytes = (long)usage.Blocks * unit,
                UsedBytes = (long)(usage.Blocks - usage.FreeBlocks) * unit,
                AvailableBytes = (long)usage.AvailableBlocks * unit,
                TotalInodes = hasInodes ? (long)usage.Files : -1,
                UsedInodes = hasInodes ? (long)(usage.Files - usage.FreeFiles) : -1,
                AvailableInodes = hasInodes ? (long)usage.FreeFiles : -1,
                Problem = problem,
            };
        }
    }

    public async Task<long> ExpandAsync(DiskVolumeKey key, string path, CancellationToken cancellationToken)
    {
        var (mounted, handle) = Demand(key.VolumeId, path);
        using (handle)
        {
            // Opening it again makes a loop device see that its file has grown.
            var device = await devices.OpenAsync(key, cancellationToken).ConfigureAwait(false);
            if (IsNode(mounted, handle))
                return device.Bytes;

            var writable = VolumeMounts.Read(device, options.AllowedRoots).FileSystem
                .FirstOrDefault(entry => entry.Root == "/" && !entry.IsReadOnly)
                ?? throw new StorageException(
                    StorageErrorCode.FailedPrecondition,
                    $"The file system of volume {key.VolumeId} is mounted read-only and cannot be grown; stage it writable first.");
            await fileSystems.GrowAsync(device, writable.FileSystem, writable.MountPoint, cancellationToken)
                .ConfigureAwait(false);
            return device.Bytes;
        }
    }

    // The mount of this volume at this path, and a handle on its root.
    private (MountEntry Mounted, SafeFileHandle Handle) Demand(string volumeId, string path)
    {
        SafePath? at;
        try
        {
            at = SafePath.TryOpen(path, options.AllowedRoots);
        }
        catch (StorageException e) when (e.Code == StorageErrorCode.InvalidArgument)
        {
            throw new StorageException(StorageErrorCode.NotFound, e.Message, e);
        }

        using (at)
        {
            if (at?.FindMount() is { } mounted
                && VolumeDevices.Owns(volumeId, devices.Find(volumeId), mounted)
                && at.TryOpenTarget() is { } handle)
            {
                return (mounted, handle);
            }
        }

        throw new StorageException(StorageErrorCode.NotFound, $"Volume {volumeId} is not mounted at {path} on this node.");
    }

    private static bool IsNode(MountEntry mounted, SafeFileHandle handle) =>
        mounted.Root != "/" && LinuxFile.TryStatus(handle, out _)?.Kind == FileKind.BlockDevice;

    private string FindProblem(MountEntry mounted, DeviceNumber number, SafeFileHandle handle)
    {
        if (!BlockDeviceNode.Exists(number) || BlockDeviceNode.BytesOf(number) == 0)
            return $"its device {mounted.Source} is gone from the node";

        if (LinuxFile.TryStatus(handle, out var errno) is null)
            return $"its file system does not answer: {LinuxError.From(errno, "read its root").Message}";

        if (IsNode(mounted, handle))
            return Healthy;

        var mounts = VolumeMounts.Read(number, options.AllowedRoots).FileSystem;
        if (mounts.Any(entry => !entry.IsReadOnly && entry.SuperOptions.Intersect(_stopped, StringComparer.Ordinal).Any()))
            return "the kernel has switched its file system to read-only after an error; the node's log says which";

        return CountExt4Errors(number) is > 0 and var errors
            ? string.Create(
                CultureInfo.InvariantCulture, $"its file system has recorded {errors} errors and may have stopped writing; unmount it and run e2fsck")
            : Healthy;
    }

    // ext4 keeps the count in its superblock (ext4 documentation, /sys/fs/ext4/<device>/errors_count).
    private static long CountExt4Errors(DeviceNumber number)
    {
        var name = new DirectoryInfo(BlockDeviceNode.SysfsOf(number)).ResolveLinkTarget(returnFinalTarget: true)?.Name;
        var file = $"/sys/fs/ext4/{name}/errors_count";
        return File.Exists(file) && long.TryParse(File.ReadAllText(file), CultureInfo.InvariantCulture, out var count) ? count : 0;
    }
}
