using Carina.Grains.Agents;

namespace Carina.Silo.Backends;

/// <summary>
/// What a backend that can do so remembers with each volume, on its disk: that a file system was made on it. Where the
/// file system is not recognisable any more, this tells damage from a volume that is new, which may be formatted. A
/// backend without it leaves that to what the device shows.
/// </summary>
public interface IFormatMemory
{
    /// <summary>Whether <see cref="RememberFormattedAsync"/> was called for this volume and generation.</summary>
    Task<bool> WasFormattedAsync(DiskVolumeKey key, CancellationToken cancellationToken);

    /// <summary>Remembers durably that the volume has a file system; called before it is first mounted, idempotent.</summary>
    Task RememberFormattedAsync(DiskVolumeKey key, CancellationToken cancellationToken);
}
