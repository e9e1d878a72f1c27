using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Carina.Silo.Backends;
using Carina.Silo.Linux;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Mounting;

/// <summary>
/// Stages and unstages one volume; the caller sees to it that this happens to a volume once at a time. What is staged
/// is what the kernel has mounted: nothing is remembered.
/// </summary>
internal sealed class VolumeStaging(
    VolumeDevices devices, FileSystems fileSystems, MountCalls calls, NodeVolumesOptions options)
{
    public async Task StageAsync(StageRequest request, CancellationToken cancellationToken)
    {
        devices.DemandUnfenced(request.Key);
        var mountOptions = MountOptions.Parse(request.MountFlags);
        var fileSystem = request.Access == VolumeAccess.Block ? "" : FileSystems.Canonical(request.FileSystem);
        using var staging = SafePath.Open(request.StagingPath, options.AllowedRoots);
        var device = await devices.OpenAsync(request.Key, cancellationToken).ConfigureAwait(false);
        DeviceTuning.Apply(device, request.MutableParameters);
        var mounts = VolumeMounts.Read(device, options.AllowedRoots);
        if (mounts.Nodes.Count == 0)
            BlockDeviceNode.SetReadOnly(device.Path, readOnly: false);

        if (request.Access == VolumeAccess.Block)
        {
            // The open device is all that block volumes need; nothing is mounted at the staging path.
            if (mounts.FileSystem.Count > 0)
                throw Conflict(request, $"its file system is mounted at {mounts.Elsewhere(null)}");

            return;
        }

        if (mounts.Nodes.Count > 0)
            throw Conflict(request, $"it is published as a block device at {mounts.Elsewhere(null)}");

        if (staging.FindMount() is { } mounted)
        {
            DemandSame(request, fileSystem, mountOptions, device, mounted);
            return;
        }

        if (mounts.FileSystem.Count > 0)
            throw Conflict(request, $"it is staged at {mounts.Elsewhere(null)}; unstage it there first");

        var wasFormatted = await devices.WasFormattedAsync(request.Key, cancellationToken).ConfigureAwait(false);
        await fileSystems.PrepareAsync(device.Path, fileSystem, wasFormatted, cancellationToken).ConfigureAwait(false);
        if (!wasFormatted)
            await devices.RememberFormattedAsync(request.Key, cancellationToken).ConfigureAwait(false);

        using var target = OpenDirectory(staging);
        await calls.MountAsync(device.Path, target, fileSystem, Complete(mountOptions, fileSystem)).ConfigureAwait(false);
    }

    public async Task UnstageAsync(string volumeId, string stagingPath, CancellationToken cancellationToken)
    {
        var device = devices.Find(volumeId);
        using var staging = SafePath.TryOpen(stagingPath, options.AllowedRoots);
        while (staging?.FindMount() is { } mounted)
        {
            if (!VolumeDevices.Owns(volumeId, device, mounted))
            {
                throw new StorageException(
                    StorageErrorCode.FailedPrecondition,
                    $"What is mounted at {staging.RealPath} ({mounted.Source}) is not volume {volumeId}; it is left alone.");
            }

            DemandUnpublished(volumeId, VolumeMounts.Read(MountTable.DeviceOf(mounted)!.Value, options.AllowedRoots), staging.RealPath);
            await staging.UnmountAsync(calls).ConfigureAwait(false);
        }

        if (device is null)
            return;

        DemandUnpublished(volumeId, VolumeMounts.Read(device, options.AllowedRoots), staging?.RealPath);
        await devices.CloseAsync(volumeId, cancellationToken).ConfigureAwait(false);
    }

    // The XFS of a restored or cloned volume has its origin's uuid, which the kernel would refuse beside it.
    private static MountOptions Complete(MountOptions mountOptions, string fileSystem) =>
        fileSystem == "xfs" && !mountOptions.Data.Contains("nouuid", StringComparer.Ordinal)
            ? mountOptions with { Data = [.. mountOptions.Data, "nouuid"] }
            : mountOptions;

    private static SafeFileHandle OpenDirectory(SafePath staging)
    {
        if (staging.TryOpenTarget() is not { } target)
        {
            staging.MakeDirectory(MountPoints.DirectoryMode);
            target = staging.TryOpenTarget() ?? throw LinuxError.From(Errno.ENOENT, $"open {staging.RealPath}");
        }

        try
        {
            MountPoints.DemandEmptyDirectory(target, staging.RealPath);
            return target;
        }
        catch
        {
            target.Dispose();
            throw;
        }
    }

    private static void DemandSame(
        StageRequest request, string fileSystem, MountOptions mountOptions, VolumeDevice device, MountEntry mounted)
    {
        if (!VolumeDevices.Owns(request.Key.VolumeId, device, mounted))
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"{mounted.Source} is mounted at {mounted.MountPoint}, where volume {request.Key.VolumeId} is to be staged.");
        }

        if (mounted.FileSystem != fileSystem)
            throw Conflict(request, $"it is mounted as {mounted.FileSystem}");

        if (mountOptions.FindConflict(mounted) is { } conflict)
            throw Conflict(request, conflict);
    }

    private static void DemandUnpublished(string volumeId, VolumeMounts mounts, string? stagingPath)
    {
        if (mounts.Elsewhere(stagingPath) is { Length: > 0 } elsewhere)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"Volume {volumeId} cannot be unstaged: it is still published at {elsewhere}. Unpublish it there first.");
        }
    }

    private static StorageException Conflict(StageRequest request, string reason) => new(
        StorageErrorCode.AlreadyExists,
        $"Volume {request.Key.VolumeId} cannot be staged at {request.StagingPath} as asked: {reason}.");
}
