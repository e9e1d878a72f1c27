using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Carina.Silo.Backends;
using Carina.Silo.Linux;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Mounting;

/// <summary>
/// Publishes and unpublishes one volume; the caller sees to it that this happens to a volume once at a time. Nothing is
/// remembered: targets are what the kernel has mounted.
/// </summary>
internal sealed class VolumePublishing(
    VolumeDevices devices, ScratchMount scratch, MountCalls calls, NodeVolumesOptions options)
{
    public async Task PublishAsync(PublishRequest request)
    {
        devices.DemandUnfenced(request.Key);
        var asked = AskedFlags(request);
        using var target = SafePath.Open(request.TargetPath, options.AllowedRoots);
        var device = devices.Find(request.Key.VolumeId)
            ?? throw Refuse(request, StorageErrorCode.FailedPrecondition, "it is not staged on this node; stage it first");
        var mounts = VolumeMounts.Read(device, options.AllowedRoots);
        var isBlock = request.Access == VolumeAccess.Block;
        using var source = isBlock ? OpenNode(request, device, mounts) : OpenStaged(request, device, mounts);
        var others = OtherTargets(mounts, source.StagingPath, target.RealPath);
        if (request.Exclusive && others.Count > 0)
        {
            throw Refuse(
                request, StorageErrorCode.FailedPrecondition,
                $"only one pod may use it, and it is published at {string.Join(", ", others.Select(entry => entry.MountPoint))}");
        }

        if (target.FindMount() is { } mounted)
        {
            DemandSame(request, device, mounted, source.Flags | asked);
            return;
        }

        if (request.MountGroup is { } group && !isBlock)
            ShareWith(group, source.Handle, request);

        // The kernel lets a device node on a read-only mount be written to, so the device itself is made read-only, as
        // long as no other target needs to write.
        if (isBlock)
            BlockDeviceNode.SetReadOnly(device.Path, request.ReadOnly && others.All(entry => entry.IsReadOnly));

        using var place = Prepare(target, isBlock);
        await scratch.BindAsync(request.Key.VolumeId, source.Handle, place, asked & ~source.Flags, target.RealPath)
            .ConfigureAwait(false);
    }

    public async Task UnpublishAsync(string volumeId, string targetPath)
    {
        using var target = SafePath.TryOpen(targetPath, options.AllowedRoots);
        if (target is null)
            return;

        var device = devices.Find(volumeId);
        while (target.FindMount() is { } mounted)
        {
            if (!VolumeDevices.Owns(volumeId, device, mounted))
            {
                throw new StorageException(
                    StorageErrorCode.FailedPrecondition,
                    $"What is mounted at {target.RealPath} ({mounted.Source}) is not volume {volumeId}; it is left alone.");
            }

            await target.UnmountAsync(calls).ConfigureAwait(false);
        }

        target.RemoveEmpty();
        if (device is not null && VolumeMounts.Read(device, options.AllowedRoots).Nodes.Count == 0)
            BlockDeviceNode.SetReadOnly(device.Path, readOnly: false);
    }

    // A target may only take away from what the staged mount allows.
    private static ulong AskedFlags(PublishRequest request)
    {
        var asked = MountOptions.Parse(request.MountFlags);
        if (request.ReadOnly && asked.IsWritable)
        {
            throw Refuse(
                request, StorageErrorCode.InvalidArgument,
                "it is to be read-only, but the mount option 'rw' says otherwise; remove one");
        }

        var flags = request.Access == VolumeAccess.Block ? 0 : asked.Flags & MountOptions.Restrictions;
        return request.ReadOnly ? flags | MountOptions.ReadOnly : flags;
    }

    // Mounts of a part of a file system are kubelet's, for the subPath of a container.
    private static List<MountEntry> OtherTargets(VolumeMounts mounts, string? stagingPath, string targetPath) =>
    [
        .. mounts.FileSystem.Where(entry => entry.Root == "/").Concat(mounts.Nodes)
            .Where(entry => entry.MountPoint != stagingPath && entry.MountPoint != targetPath),
    ];

    private static Source OpenNode(PublishRequest request, VolumeDevice device, VolumeMounts mounts)
    {
        if (mounts.FileSystem.Count > 0)
        {
            throw Refuse(
                request, StorageErrorCode.AlreadyExists, $"its file system is mounted at {mounts.Elsewhere(null)}");
        }

        var node = LinuxFile.Open(null, device.Path, OpenFlags.PathOnly | OpenFlags.NoFollow);
        if (LinuxFile.Status(node) is { Kind: FileKind.BlockDevice } status && status.SpecialDevice == VolumeDevices.NumberOf(device))
            return new Source(node, null, 0);

        node.Dispose();
        throw new StorageException(
            StorageErrorCode.Internal, $"{device.Path} is not the node of device {device.Major}:{device.Minor}; is /dev the node's own?");
    }

    private Source OpenStaged(PublishRequest request, VolumeDevice device, VolumeMounts mounts)
    {
        if (mounts.Nodes.Count > 0)
        {
            throw Refuse(
                request, StorageErrorCode.AlreadyExists, $"it is published as a block device at {mounts.Elsewhere(null)}");
        }

        using var staging = SafePath.TryOpen(request.StagingPath, options.AllowedRoots);
        var staged = staging?.FindMount();
        if (staged is null || staged.Root != "/" || !VolumeDevices.Owns(request.Key.VolumeId, device, staged))
        {
            throw Refuse(
                request, StorageErrorCode.FailedPrecondition, $"it is not staged at {request.StagingPath}; stage it there first");
        }

        if (staged.FileSystem != FileSystems.Canonical(request.FileSystem))
            throw Refuse(request, StorageErrorCode.AlreadyExists, $"it is staged with the file system {staged.FileSystem}");

        return new Source(
            staging!.TryOpenTarget()!, staging.RealPath, MountOptions.FlagsOf(staged) & MountOptions.Restrictions);
    }

    private static SafeFileHandle Prepare(SafePath target, bool isBlock)
    {
        var place = target.TryOpenTarget();
        if (place is null)
        {
            if (isBlock)
                target.MakeFile(MountPoints.FileMode);
            else
                target.MakeDirectory(MountPoints.DirectoryMode);

            return target.TryOpenTarget() ?? throw LinuxError.From(Errno.ENOENT, $"open {target.RealPath}");
        }

        try
        {
            if (isBlock)
                MountPoints.DemandEmptyFile(place, target.RealPath);
            else
                MountPoints.DemandEmptyDirectory(place, target.RealPath);

            return place;
        }
        catch
        {
            place.Dispose();
            throw;
        }
    }

    private static void DemandSame(PublishRequest request, VolumeDevice device, MountEntry mounted, ulong expected)
    {
        if (!VolumeDevices.Owns(request.Key.VolumeId, device, mounted))
        {
            throw Refuse(
                request, StorageErrorCode.FailedPrecondition, $"{mounted.Source} is mounted there already, which is not this volume");
        }

        // A bound device node has the flags of /dev besides.
        var compared = request.Access == VolumeAccess.Block ? MountOptions.ReadOnly : MountOptions.Restrictions;
        if ((MountOptions.FlagsOf(mounted) & compared) != (expected & compared))
        {
            throw Refuse(
                request, StorageErrorCode.AlreadyExists,
                $"it is published there {(mounted.IsReadOnly ? "read-only" : "writable")} with other options ({string.Join(',', mounted.Options)})");
        }
    }

    // Only the root: what is below belongs to the pod, and may be millions of files.
    private static void ShareWith(uint group, SafeFileHandle staged, PublishRequest request)
    {
        using var root = LinuxFile.Open(null, LinuxFile.PathOf(staged), OpenFlags.Directory);
        var status = LinuxFile.Status(root);
        if (status.GroupId != group && Libc.FChown(root, uint.MaxValue, group) != 0)
            throw LinuxError.Last($"give the root of volume {request.Key.VolumeId} to group {group}");

        // chown clears setgid, so the mode comes second and is compared afresh.
        var mode = LinuxFile.Status(root).Permissions;
        if ((mode & MountPoints.SharedByGroup) != MountPoints.SharedByGroup
            && Libc.FChmod(root, mode | MountPoints.SharedByGroup) != 0)
        {
            throw LinuxError.Last($"let group {group} write to the root of volume {request.Key.VolumeId}");
        }
    }

    private static StorageException Refuse(PublishRequest request, StorageErrorCode code, string reason) =>
        new(code, $"Volume {request.Key.VolumeId} cannot be published at {request.TargetPath}: {reason}.");

    /// <param name="Handle">What is bound to targets: the staged root, or the device's node.</param>
    /// <param name="StagingPath">Where the former is mounted; null for the latter.</param>
    /// <param name="Flags">Restrictions of the staged mount, which each target has too.</param>
    private sealed record Source(SafeFileHandle Handle, string? StagingPath, ulong Flags) : IDisposable
    {
        public void Dispose() => Handle.Dispose();
    }
}
