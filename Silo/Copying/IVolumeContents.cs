using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Agents;

namespace Carina.Silo.Copying;

/// <summary>A pool whose volumes can be read and written past mounts and fences, to be copied.</summary>
internal interface IVolumeContents
{
    /// <summary>Opens what a volume holds to be read, however it is mounted or fenced; what is not on disk yet is not seen.</summary>
    /// <exception cref="StorageException">
    /// NotFound, or FailedPrecondition when the disk has another generation, or keeps the volume in a way that cannot be read.
    /// </exception>
    Task<VolumeContent> OpenForReadingAsync(DiskVolumeKey key, CancellationToken cancellationToken);

    /// <summary>Opens a volume that nothing uses to be written.</summary>
    /// <exception cref="StorageException">As above; FailedPrecondition also when something uses it.</exception>
    Task<VolumeContent> OpenForWritingAsync(DiskVolumeKey key, CancellationToken cancellationToken);
}

/// <summary>Finds <see cref="IVolumeContents"/>.</summary>
internal static class VolumeContents
{
    /// <summary>Those of a pool of this node.</summary>
    /// <exception cref="StorageException">FailedPrecondition when there is no such pool, or its volumes are not copied.</exception>
    public static IVolumeContents ContentsOf(this DiskAgent agent, string pool) => agent.BackendOf(pool) as IVolumeContents
        ?? throw new StorageException(StorageErrorCode.FailedPrecondition, $"Volumes of pool '{pool}' are not copied.");
}
