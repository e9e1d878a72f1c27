using Carina.Grains.Configuration;
using Carina.Grains.Nodes;
using Microsoft.Extensions.Logging;
using Orleans.Concurrency;

namespace Carina.Grains.Placement;

/// <summary>Asks the ledgers of all live nodes at once; they answer from memory.</summary>
[StatelessWorker]
[GrainType("carina-placement")]
internal sealed partial class PlacementGrain(
    IGrainFactory grains,
    INodeDirectory directory,
    ICarinaConfigSource config,
    ILogger<PlacementGrain> logger) : Grain, IPlacementGrain
{
    public async Task<PlacementRanking> RankAsync(PlacementRequest request, CancellationToken cancellationToken) =>
        PlacementPlanner.Rank(request, await GetNodesAsync(cancellationToken), config.Current.Strategy);

    public async Task<AvailableCapacity> GetCapacityAsync(CapacityQuery query, CancellationToken cancellationToken) =>
        PlacementPlanner.Sum(query, await GetNodesAsync(cancellationToken));

    public async Task<IReadOnlyList<NodeCapacity>> GetNodesAsync(CancellationToken cancellationToken)
    {
        var answers = await Task.WhenAll(directory.LiveNodes
            .Order(StringComparer.Ordinal)
            .Select(node => AskAsync(node, cancellationToken)));
        return [.. answers.OfType<NodeCapacity>()];
    }

    private async Task<NodeCapacity?> AskAsync(string node, CancellationToken cancellationToken)
    {
        try
        {
            return await grains.GetGrain<INodeGrain>(node).GetCapacityAsync(cancellationToken);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            // One ledger that cannot answer (its silo is just dying) must not stop provisioning on the others.
            LogNoAnswer(node, exception);
            return null;
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "The ledger of node {Node} does not answer; it is left out of placement")]
    private partial void LogNoAnswer(string node, Exception exception);
}
