using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Copying;
using Carina.Silo.Linux;

namespace Carina.Silo.Backends.Files;

// Copying: the file is read and written itself, whatever its loop device can do just now.
internal sealed partial class FileBackend : IVolumeContents
{
    public Task<VolumeContent> OpenForReadingAsync(DiskVolumeKey key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var file = DemandVolume(key);
        return Task.FromResult(OpenContent(file, OpenFlags.Read));
    }

    public async Task<VolumeContent> OpenForWritingAsync(DiskVolumeKey key, CancellationToken cancellationToken)
    {
        using var held = await _locks.AcquireAsync(key.VolumeId, cancellationToken).ConfigureAwait(false);
        using var file = DemandVolume(key);
        return VolumeLoops.FindAll(file) is [var loop, ..]
            ? throw new StorageException(
                StorageErrorCode.FailedPrecondition, $"Volume {key.VolumeId} is attached to {loop.Path}; nothing is written to it past that.")
            : OpenContent(file, OpenFlags.ReadWrite);
    }

    private static VolumeContent OpenContent(VolumeFile file, OpenFlags flags) =>
        new([new(VolumeContent.OpenDirect(LinuxFile.PathOf(file.Handle), flags), 0, file.Status.Bytes)]);
}
