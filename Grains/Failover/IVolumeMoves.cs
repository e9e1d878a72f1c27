using Carina.Grains.Agents;
using Carina.Grains.Volumes;

namespace Carina.Grains.Failover;

/// <summary>The volumes' side of failover: their grains, and the agents of their nodes.</summary>
public interface IVolumeMoves
{
    /// <summary>Volumes whose current generation is on a node, and those that are on their way from it.</summary>
    Task<IReadOnlyList<VolumeRecord>> ListAsync(string node, CancellationToken cancellationToken);

    /// <summary>
    /// All volumes with a move under way, with copies that moves left behind, or of which something may be left at places that
    /// were given up; in any state.
    /// </summary>
    Task<IReadOnlyList<VolumeRecord>> ListUnsettledAsync(CancellationToken cancellationToken);

    /// <summary>The volume's grain.</summary>
    IVolumeGrain Get(string volumeId);

    /// <summary>As <see cref="INodeExecutor.FenceAsync"/>, with a short limit.</summary>
    Task FenceAsync(string node, DiskVolumeKey key, string reason, CancellationToken cancellationToken);

    /// <summary>As <see cref="INodeExecutor.CopyAsync"/>.</summary>
    Task<CopyProgress> CopyAsync(string node, CopyOrder order, CancellationToken cancellationToken);

    /// <summary>
    /// The nodes of <paramref name="places"/> that have room for all volumes, best first; for the others, why not.
    /// </summary>
    Task<(IReadOnlyList<string> Nodes, IReadOnlyList<string> Refusals)> RankAsync(
        IReadOnlyList<VolumeRecord> volumes, IReadOnlyList<PodPlace> places, CancellationToken cancellationToken);
}
