namespace Carina.Grains.Agents;

/// <summary>
/// The seam between ledger and node: carries commands to the agent of a node, wherever it runs. All commands are
/// idempotent by volume id.
/// </summary>
public interface INodeExecutor
{
    /// <summary>Makes the volume, tagged as ours, or returns the one that is already there.</summary>
    /// <exception cref="Errors.StorageException">
    /// ResourceExhausted when the pool is full; FailedPrecondition when the disk holds a newer generation;
    /// Unavailable when the node's agent cannot be reached.
    /// </exception>
    Task<DiskVolume> CreateAsync(string node, DiskVolumeKey key, long bytes, CancellationToken cancellationToken);

    /// <summary>Grows the volume to at least <paramref name="bytes"/>; a larger one is left as it is.</summary>
    Task<DiskVolume> ExpandAsync(string node, DiskVolumeKey key, long bytes, CancellationToken cancellationToken);

    /// <summary>Removes the volume if it is ours, of this generation and not in use; a missing one is success.</summary>
    /// <exception cref="Errors.StorageException">FailedPrecondition when it is in use or not provably ours.</exception>
    Task DeleteAsync(string node, DiskVolumeKey key, CancellationToken cancellationToken);

    /// <summary>
    /// Tags a volume that Carina up to 0.14 made, which put no tags on anything. The caller has a record that claims it;
    /// one that bears our tags already is success.
    /// </summary>
    /// <exception cref="Errors.StorageException">FailedPrecondition when it is not what Carina made.</exception>
    Task<DiskVolume> AdoptAsync(string node, DiskVolumeKey key, CancellationToken cancellationToken);

    /// <summary>
    /// Gives what is on disk another handle and generation, and lets go of its device; the data stays. Repeated after it
    /// was done it is success.
    /// </summary>
    /// <param name="node">The node.</param>
    /// <param name="from">What it is now.</param>
    /// <param name="to">What it is to be, in the same pool.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="Errors.StorageException">
    /// NotFound when it is not there; FailedPrecondition when it is in use, not provably ours, or the new handle is taken.
    /// </exception>
    Task<DiskVolume> RenameAsync(string node, DiskVolumeKey from, DiskVolumeKey to, CancellationToken cancellationToken);

    /// <summary>
    /// Has the node copy what a volume of it holds to a volume on another node, or says how far that is: the copy goes on by
    /// itself, and is asked for again until it is done. Only what differs is sent.
    /// </summary>
    /// <exception cref="Errors.StorageException">
    /// FailedPrecondition when the node has another generation or cannot read it; Unavailable when it cannot be reached.
    /// </exception>
    Task<CopyProgress> CopyAsync(string node, CopyOrder order, CancellationToken cancellationToken);

    /// <summary>Applies mutable parameters to the live device.</summary>
    Task TuneAsync(
        string node, DiskVolumeKey key, Dictionary<string, string> mutableParameters, CancellationToken cancellationToken);

    /// <summary>
    /// Cuts the node off from this generation of the volume: once this has returned, nothing on the node gets a write
    /// acknowledged that it begins later, and staging it there is refused until the fence is lifted. The data stays.
    /// </summary>
    /// <param name="node">The node.</param>
    /// <param name="key">Volume, pool and generation.</param>
    /// <param name="reason">Why, for people.</param>
    /// <param name="cancellationToken">Bounds the wait for a disk that does not answer.</param>
    /// <exception cref="Errors.StorageException">
    /// FailedPrecondition when the node has another generation; Unavailable when it cannot be reached or its disk does
    /// not answer in time; Internal when its kernel refused. The volume is not known to be fenced then.
    /// </exception>
    Task FenceAsync(string node, DiskVolumeKey key, string reason, CancellationToken cancellationToken);

    /// <summary>Takes back <see cref="FenceAsync"/>: the node owns this generation again. One that is not fenced is success.</summary>
    /// <exception cref="Errors.StorageException">
    /// FailedPrecondition when another generation is fenced, or processes still hold what is dead of it.
    /// </exception>
    Task LiftFenceAsync(string node, DiskVolumeKey key, CancellationToken cancellationToken);
}
