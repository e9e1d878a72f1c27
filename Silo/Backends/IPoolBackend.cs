using Carina.Grains.Agents;
using Carina.Grains.Configuration;

namespace Carina.Silo.Backends;

/// <summary>A block device that a volume is reachable at on this node.</summary>
/// <param name="Path">Path of the device node, its links resolved by the kernel's name (<c>/dev/dm-3</c>, <c>/dev/loop7</c>).</param>
/// <param name="Major">Major device number.</param>
/// <param name="Minor">Minor device number.</param>
/// <param name="Bytes">Size in bytes.</param>
public sealed record VolumeDevice(string Path, int Major, int Minor, long Bytes);

/// <summary>
/// Turns a pool policy into volumes on this node's disks: one implementation per <see cref="PoolPolicy"/>. The agent
/// calls mutating members for one pool in batches and never two at a time for the same pool. All are idempotent, leave
/// nothing half-done that the next call does not finish, and report failures as
/// <see cref="Grains.Errors.StorageException"/>.
/// </summary>
public interface IPoolBackend
{
    PoolPolicy Policy { get; }

    /// <summary>
    /// Finds this policy's pools: takes in disks that a group selects and that are provably blank, looks at what is
    /// there and what volumes of ours it holds. Reports one pool per group; one that cannot be used has its
    /// <see cref="PoolReport.Problem"/> set.
    /// </summary>
    Task<IReadOnlyList<PoolReport>> ScanAsync(IReadOnlyList<DiskGroup> groups, CancellationToken cancellationToken);

    /// <summary>
    /// Does commands on one pool, together where that is faster. One outcome per command, in order; the failure of one
    /// does not stop the others. Cancellation of the batch leaves each command done or not done, never between.
    /// </summary>
    Task<IReadOnlyList<PoolCommandOutcome>> ExecuteAsync(
        string pool, IReadOnlyList<PoolCommand> commands, CancellationToken cancellationToken);

    /// <summary>Makes the volume's block device available (activates it, attaches a loop device); idempotent.</summary>
    Task<VolumeDevice> OpenAsync(DiskVolumeKey key, CancellationToken cancellationToken);

    /// <summary>Lets go of the block device where that is this policy's way; idempotent, refuses while it is in use.</summary>
    Task CloseAsync(string volumeId, CancellationToken cancellationToken);

    /// <summary>The volume's block device if it is available now; asks the kernel only, starts no process.</summary>
    VolumeDevice? FindDevice(string volumeId);
}

/// <summary>What to do to one volume of a pool.</summary>
/// <param name="Kind">What.</param>
/// <param name="Key">Volume, pool and generation.</param>
/// <param name="Bytes">Size wanted for create and expand, a multiple of the pool's granularity; 0 for others.</param>
public sealed record PoolCommand(PoolCommandKind Kind, DiskVolumeKey Key, long Bytes)
{
    /// <summary>What <see cref="PoolCommandKind.Rename"/> makes of it; null for others.</summary>
    public DiskVolumeKey? NewKey { get; init; }
}

/// <summary>Kinds of <see cref="PoolCommand"/>.</summary>
public enum PoolCommandKind
{
    Create,
    Expand,
    Delete,

    /// <summary>Put our marks on a volume that Carina up to 0.14 made; only with a record that claims it.</summary>
    Adopt,

    /// <summary>Give it another handle and generation (<see cref="PoolCommand.NewKey"/>) and let go of its device.</summary>
    Rename,
}

/// <summary>Outcome of one command: the volume as it is now (null after delete), or the error.</summary>
public sealed record PoolCommandOutcome(DiskVolume? Volume, Grains.Errors.StorageException? Error);
