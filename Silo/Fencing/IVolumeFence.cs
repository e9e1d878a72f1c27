using Carina.Grains.Agents;
using Carina.Grains.Errors;

namespace Carina.Silo.Fencing;

/// <summary>
/// Cuts this node off from a volume, and lets it back. Works with the kernel of this node alone: no other silo, no API
/// server, no queue of the pool's other work stands in between. What is on the disk stays there.
/// </summary>
public interface IVolumeFence
{
    /// <summary>
    /// After this no process of this node, whatever it has open, mounted or mapped, gets a write to this generation of
    /// the volume acknowledged that it began later, and staging or publishing it is refused, also after a restart of
    /// the silo. Writes that were acknowledged are on the disk. Idempotent; a volume that is not attached is only
    /// remembered. Processes of pods that write to the bare device of a volume in a file are killed.
    /// </summary>
    /// <param name="key">Volume, pool and generation.</param>
    /// <param name="reason">Why, for people: it is shown wherever the volume is refused.</param>
    /// <param name="cancellationToken">
    /// Bounds the wait for a disk that does not answer. What was begun goes on: when the disk answers again, the volume
    /// is cut off all the same.
    /// </param>
    /// <exception cref="StorageException">
    /// FailedPrecondition when the disk has another generation of the volume, or what is not provably ours: it was not
    /// touched. Unavailable when <paramref name="cancellationToken"/> came first, Internal when the kernel refused:
    /// the volume is NOT known to be fenced, but staging it is refused already.
    /// </exception>
    Task FenceAsync(DiskVolumeKey key, string reason, CancellationToken cancellationToken);

    /// <summary>
    /// The node owns this generation again: takes away what is dead of its mounts, gives the device its storage back and
    /// forgets that it was fenced, so that it can be staged. A volume that is not fenced is left alone.
    /// </summary>
    /// <param name="key">Volume, pool and generation.</param>
    /// <param name="cancellationToken">Bounds the wait for processes that still hold the dead file system.</param>
    /// <exception cref="StorageException">
    /// FailedPrecondition when another generation is fenced, or while processes hold the dead file system; Unavailable
    /// when <paramref name="cancellationToken"/> came first. The volume stays fenced.
    /// </exception>
    Task LiftAsync(DiskVolumeKey key, CancellationToken cancellationToken);
}
