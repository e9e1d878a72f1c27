using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Backends;

namespace Carina.Silo.Fencing.Guard;

/// <summary>Finds out whether a fence holds.</summary>
internal interface ICutCheck
{
    /// <summary>
    /// Whether the volume is refused here, also after a restart, and every device of it is cut off. False when that cannot
    /// be found out.
    /// </summary>
    Task<bool> IsCutAsync(DiskVolumeKey key, CancellationToken cancellationToken);
}

/// <summary><see cref="ICutCheck"/> by the devices themselves, whoever cut them off.</summary>
internal sealed class CutCheck(IEnumerable<IPoolBackend> backends, FencedVolumes fenced) : ICutCheck
{
    private readonly IFenceableBackend[] _backends = [.. backends.OfType<IFenceableBackend>()];

    public async Task<bool> IsCutAsync(DiskVolumeKey key, CancellationToken cancellationToken)
    {
        var isCut = fenced.IsWritten(key);
        foreach (var backend in _backends)
        {
            try
            {
                var devices = await OwnThread.RunAsync(() => backend.IdentifyAsync(key, cancellationToken)).Unwrap()
                    .WaitAsync(cancellationToken).ConfigureAwait(false);
                isCut &= devices.All(DeviceCut.IsCut);
            }
            catch (Exception exception) when (exception is StorageException or OperationCanceledException)
            {
                return false;
            }
        }

        return isCut;
    }
}
