using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Backends;

namespace Carina.Silo.Fencing;

/// <summary>
/// What the fence needs of a backend. No member waits for other work of the pool; each may wait for a disk, and the
/// caller bounds that.
/// </summary>
internal interface IFenceableBackend
{
    /// <summary>
    /// All devices through which this volume can be reached on this node now, those that are cut off included; none when
    /// it is not attached, or not this backend's.
    /// </summary>
    /// <exception cref="StorageException">
    /// FailedPrecondition when the node has another generation, or what bears the volume's name is not provably ours.
    /// </exception>
    Task<IReadOnlyList<VolumeDevice>> IdentifyAsync(DiskVolumeKey key, CancellationToken cancellationToken);

    /// <summary>Gives a device that was cut off its storage back; one that was not is left alone.</summary>
    Task RestoreAsync(DiskVolumeKey key, VolumeDevice device, CancellationToken cancellationToken);
}

/// <summary>Knows what is being done to volumes at this moment.</summary>
internal interface ICommandsUnderWay
{
    /// <summary>Ends when no command that has begun works on the volume; those that wait for their turn do not count.</summary>
    Task WhenNoneRuns(string volumeId);
}
