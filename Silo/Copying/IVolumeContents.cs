using Carina.Grains.Agents;

namespace Carina.Silo.Copying;

/// <summary>A pool whose volumes can be read and written past mounts and fences, to be copied.</summary>
internal interface IVolumeContents
{
    /// <summary>Opens what a volume holds to be read, however it is mounted or fenced; what is not on disk yet is not seen.</summary>
    /// <exception cref="Grains.Errors.StorageException">
    /// NotFound, or FailedPrecondition when the disk has another generation, or keeps the volume in a way that cannot be read.
    /// </exception>
    Task<VolumeContent> OpenForReadingAsync(DiskVolumeKey key, CancellationToken cancellationToken);

    /// <summary>Opens a volume that nothing uses to be written.</summary>
    /// <exception cref="Grains.Errors.StorageException">As above; FailedPrecondition also when something uses it.</exception>
    Task<VolumeContent> OpenForWritingAsync(DiskVolumeKey key, CancellationToken cancellationToken);
}
