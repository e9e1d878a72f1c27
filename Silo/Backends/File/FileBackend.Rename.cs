using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Linux;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Backends.Files;

// Another handle for a file: first its name, then what it says of itself. In between it is nobody's; a repetition finds it
// by the one or the other.
internal sealed partial class FileBackend
{
    private async Task<DiskVolume> RenameAsync(
        FilePool pool, PoolCommand command, SafeFileHandle directory, VolumeFile? file, CancellationToken cancellationToken)
    {
        var (from, to) = (command.Key, command.NewKey!);
        using var renamed = TryOpenRenamed(directory, from, to);

        // Another generation may have the old handle by now.
        var isDone = renamed is not null && renamed.VolumeId == to.VolumeId && renamed.Generation == to.Generation
            && file?.Generation != from.Generation;
        if (file is not null && !isDone)
        {
            DemandGeneration(file, from);
            if (renamed is not null && renamed.Identity != file.Identity)
            {
                throw new StorageException(
                    StorageErrorCode.FailedPrecondition, $"Pool '{pool.Name}' has another volume '{to.VolumeId}' already; both are left alone.");
            }

            foreach (var loop in VolumeLoops.FindAll(file))
                await _volumeLoops.DetachAsync(loop, file.Identity, cancellationToken).ConfigureAwait(false);

            _crash.Reached("file.rename.detached", from.VolumeId);
            if (renamed is null)
                LinuxFile.Name(file.Handle, directory, VolumeFile.NameOf(to.VolumeId));

            LinuxFile.RemoveFile(directory, VolumeFile.NameOf(from.VolumeId));
            LinuxFile.Flush(directory);
            _crash.Reached("file.rename.named", from.VolumeId);
        }

        using var found = TryOpenRenamed(directory, from, to) ?? throw new StorageException(
            StorageErrorCode.NotFound, $"Volume {from.VolumeId} is not in pool '{pool.Name}'.");
        if (found.VolumeId != to.VolumeId)
        {
            found.Rename(to);
            _crash.Reached("file.rename.after", from.VolumeId);
            LogRenamed(_logger, from.VolumeId, from.Generation, to.VolumeId, to.Generation, pool.Name);
        }

        using var done = DemandVolume(to);
        return Describe(pool, done);
    }

    private static VolumeFile? TryOpenRenamed(SafeFileHandle directory, DiskVolumeKey from, DiskVolumeKey to)
    {
        var file = VolumeFile.TryOpen(directory, VolumeFile.NameOf(to.VolumeId), [to.VolumeId, from.VolumeId]);
        if (file is null || file.Generation == to.Generation || (file.VolumeId == from.VolumeId && file.Generation == from.Generation))
            return file;

        using (file)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"The disk holds generation {file.Generation} of volume {to.VolumeId} already, where generation {to.Generation} was to come; both are left alone.");
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Volume {From} (generation {FromGeneration}) is kept as {To} (generation {ToGeneration}) in pool {Pool} from now on")]
    private static partial void LogRenamed(
        ILogger logger, string from, long fromGeneration, string to, long toGeneration, string pool);
}
