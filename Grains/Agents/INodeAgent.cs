using Orleans.Services;

namespace Carina.Grains.Agents;

/// <summary>
/// The agent on a node: one per silo process, addressed by silo address, and the only thing that touches disks.
/// </summary>
[Alias("carina.INodeAgent")]
public interface INodeAgent : IGrainService
{
    /// <inheritdoc cref="INodeExecutor.CreateAsync"/>
    [Alias("Create")]
    Task<DiskVolume> CreateAsync(DiskVolumeKey key, long bytes, CancellationToken cancellationToken);

    /// <inheritdoc cref="INodeExecutor.ExpandAsync"/>
    [Alias("Expand")]
    Task<DiskVolume> ExpandAsync(DiskVolumeKey key, long bytes, CancellationToken cancellationToken);

    /// <inheritdoc cref="INodeExecutor.DeleteAsync"/>
    [Alias("Delete")]
    Task DeleteAsync(DiskVolumeKey key, CancellationToken cancellationToken);

    /// <inheritdoc cref="INodeExecutor.AdoptAsync"/>
    [Alias("Adopt")]
    Task<DiskVolume> AdoptAsync(DiskVolumeKey key, CancellationToken cancellationToken);

    /// <inheritdoc cref="INodeExecutor.TuneAsync"/>
    [Alias("Tune")]
    Task TuneAsync(
        DiskVolumeKey key, Dictionary<string, string> mutableParameters, CancellationToken cancellationToken);

    /// <summary>Tells the node's ledger again what the disk has, after looking afresh.</summary>
    [Alias("Rescan")]
    Task<NodeReport> RescanAsync(CancellationToken cancellationToken);
}
