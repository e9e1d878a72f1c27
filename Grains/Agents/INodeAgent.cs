using Orleans.Services;

namespace Carina.Grains.Agents;

/// <summary>
/// The agent on a node: one per silo process, addressed by silo address, and the only thing that touches disks.
/// </summary>
[Alias("carina.INodeAgent")]
public interface INodeAgent : IGrainService
{
    /// <summary>
    /// How long a caller waits: a command may stand behind others in its pool's queue. Orleans' default for services is
    /// 30 seconds; the sidecars wait for 150.
    /// </summary>
    const string Patience = "00:01:30";

    /// <inheritdoc cref="INodeExecutor.CreateAsync"/>
    [Alias("Create")]
    [ResponseTimeout(Patience)]
    Task<DiskVolume> CreateAsync(DiskVolumeKey key, long bytes, CancellationToken cancellationToken);

    /// <inheritdoc cref="INodeExecutor.ExpandAsync"/>
    [Alias("Expand")]
    [ResponseTimeout(Patience)]
    Task<DiskVolume> ExpandAsync(DiskVolumeKey key, long bytes, CancellationToken cancellationToken);

    /// <inheritdoc cref="INodeExecutor.DeleteAsync"/>
    [Alias("Delete")]
    [ResponseTimeout(Patience)]
    Task DeleteAsync(DiskVolumeKey key, CancellationToken cancellationToken);

    /// <inheritdoc cref="INodeExecutor.AdoptAsync"/>
    [Alias("Adopt")]
    [ResponseTimeout(Patience)]
    Task<DiskVolume> AdoptAsync(DiskVolumeKey key, CancellationToken cancellationToken);

    /// <inheritdoc cref="INodeExecutor.RenameAsync"/>
    [Alias("Rename")]
    [ResponseTimeout(Patience)]
    Task<DiskVolume> RenameAsync(DiskVolumeKey from, DiskVolumeKey to, CancellationToken cancellationToken);

    /// <inheritdoc cref="INodeExecutor.CopyAsync"/>
    [Alias("Copy")]
    Task<CopyProgress> CopyAsync(CopyOrder order, CancellationToken cancellationToken);

    /// <summary>SHA-256 of each block of a part of a volume that is being made, one behind the other.</summary>
    /// <param name="key">The volume; nothing on the node may use it.</param>
    /// <param name="offset">Where the part begins, in bytes; a multiple of <see cref="CopyOrder.BlockBytes"/>.</param>
    /// <param name="bytes">Its length; the last block may be shorter than the others.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [Alias("HashBlocks")]
    Task<byte[]> HashBlocksAsync(DiskVolumeKey key, long offset, int bytes, CancellationToken cancellationToken);

    /// <summary>Writes a part of a volume that is being made; it is on disk at the answer.</summary>
    [Alias("WriteBlocks")]
    Task WriteBlocksAsync(DiskVolumeKey key, long offset, byte[] data, CancellationToken cancellationToken);

    /// <summary>The copy is complete: the volume is let go of, and holds a file system that must never be made anew.</summary>
    [Alias("FinishCopy")]
    Task FinishCopyAsync(DiskVolumeKey key, bool hasFileSystem, CancellationToken cancellationToken);

    /// <inheritdoc cref="INodeExecutor.TuneAsync"/>
    [Alias("Tune")]
    [ResponseTimeout(Patience)]
    Task TuneAsync(
        DiskVolumeKey key, Dictionary<string, string> mutableParameters, CancellationToken cancellationToken);

    /// <inheritdoc cref="INodeExecutor.FenceAsync"/>
    [Alias("Fence")]
    Task FenceAsync(DiskVolumeKey key, string reason, CancellationToken cancellationToken);

    /// <inheritdoc cref="INodeExecutor.LiftFenceAsync"/>
    [Alias("LiftFence")]
    [ResponseTimeout(Patience)]
    Task LiftFenceAsync(DiskVolumeKey key, CancellationToken cancellationToken);

    /// <summary>Renews the lease of another node that cannot reach the API server itself.</summary>
    /// <exception cref="Errors.StorageException">The API server refused, or has a later renewal.</exception>
    [Alias("RenewLease")]
    Task<LeaseRenewalOutcome> RenewLeaseAsync(NodeLeaseRenewal renewal, CancellationToken cancellationToken);

    /// <summary>Tells the node's ledger again what the disk has, after looking afresh.</summary>
    [Alias("Rescan")]
    [ResponseTimeout(Patience)]
    Task<NodeReport> RescanAsync(CancellationToken cancellationToken);
}
