using Carina.Grains.Nodes;
using Carina.Grains.Placement;
using Microsoft.Extensions.Options;

namespace Carina.Webhook.Scheduling.Capacity;

/// <summary>What the ledgers of all nodes say.</summary>
public interface ICapacitySource
{
    /// <summary>Capacity of every node whose ledger answers.</summary>
    /// <param name="awaited">Ids of volumes by the node on which they are expected (<see cref="NodeCapacity.Promised"/>).</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    Task<IReadOnlyList<NodeCapacity>> ReadAsync(
        Dictionary<string, List<string>> awaited, CancellationToken cancellationToken);
}

/// <summary>Asks the placement grain.</summary>
internal sealed class GrainCapacitySource(IGrainFactory grains, IOptions<SchedulingOptions> options) : ICapacitySource
{
    public Task<IReadOnlyList<NodeCapacity>> ReadAsync(
        Dictionary<string, List<string>> awaited, CancellationToken cancellationToken) =>
        grains.GetGrain<IPlacementGrain>(0).GetNodesAsync(awaited, options.Value.LedgerPatience, cancellationToken);
}
