using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Carina.Silo.Mounting;

namespace Carina.Silo.Backends.Files;

/// <summary>The loop devices of volumes, told from others by the file that they are attached to.</summary>
internal sealed class VolumeLoops(LoopDevices devices)
{
    /// <summary>
    /// The loop device of a volume, and its file. The files in the pools decide; only before the first scan, when no pool
    /// is known, the loop device itself says where its file is, and the file whose it is.
    /// </summary>
    public (LoopDevice Loop, FileIdentity File)? Find(string volumeId, IReadOnlyCollection<FilePool> pools)
    {
        if (!VolumeIds.IsWellFormed(volumeId))
            return null;

        var known = pools.Select(pool => TryIdentify(pool.PathOf(volumeId), volumeId)).OfType<FileIdentity>().ToList();
        FileIdentity? identity = null;
        var loop = devices.Find(VolumeFile.NameOf(volumeId), candidate =>
        {
            identity = pools.Count > 0
                ? known.Cast<FileIdentity?>().FirstOrDefault(file => LoopDevices.IsAttachedTo(candidate, file!.Value))
                : TryIdentify(candidate.BackingPath, volumeId);
            return identity is { } file && LoopDevices.IsAttachedTo(candidate, file) && LoopDevices.IsPlain(candidate);
        });
        return loop is not null && identity is { } found ? (loop, found) : null;
    }

    /// <summary>All loop devices that are attached to a volume's file, whoever attached them.</summary>
    public static List<LoopDevice> FindAll(VolumeFile file)
    {
        var identity = file.Identity;
        return [.. LoopDevices.FindByFileName(VolumeFile.NameOf(file.VolumeId)).Where(loop => LoopDevices.IsAttachedTo(loop, identity))];
    }

    /// <exception cref="StorageException">FailedPrecondition while the volume is in use.</exception>
    public async Task DetachAsync(LoopDevice loop, FileIdentity file, CancellationToken cancellationToken)
    {
        var table = MountTable.Read();
        var mounts = table.OfFileSystemOn(loop.Number).Concat(table.OfNode(loop.Number)).ToList();
        if (mounts.Count > 0)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"The volume file {loop.BackingPath} is in use: {loop.Path} is mounted at {mounts[0].MountPoint}. Unpublish and unstage it first.");
        }

        await devices.DetachAsync(loop, file, cancellationToken).ConfigureAwait(false);
    }

    private static FileIdentity? TryIdentify(string path, string volumeId)
    {
        try
        {
            using var file = VolumeFile.TryOpen(null, path, volumeId);
            return file?.Identity;
        }
        catch (StorageException)
        {
            // Not ours, so not this volume.
            return null;
        }
    }
}
