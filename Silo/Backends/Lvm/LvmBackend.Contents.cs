using Carina.Grains.Agents;
using Carina.Silo.Copying;

namespace Carina.Silo.Backends.Lvm;

internal sealed partial class LvmBackend : IVolumeContents
{
    public Task<VolumeContent> OpenForReadingAsync(DiskVolumeKey key, CancellationToken cancellationToken) =>
        Require(key.Pool).OpenForReadingAsync(key);

    public Task<VolumeContent> OpenForWritingAsync(DiskVolumeKey key, CancellationToken cancellationToken) =>
        Require(key.Pool).OpenForWritingAsync(key, cancellationToken);
}
