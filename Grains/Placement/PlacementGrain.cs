using Carina.Grains.Configuration;
using Carina.Grains.Errors;
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
    public async Task<PlacementRanking> RankAsync(PlacementRequest request, CancellationToken cancellationToken)
    {
        var (nodes, silent) = await AskAllAsync(cancellationToken);
        return PlacementPlanner.Rank(request, nodes, config.Current.Strategy) with
        {
            Silent = [.. silent.Where(node => PlacementPlanner.MayMatchAny(request.Requisite, node))],
        };
    }

    public async Task<AvailableCapacity> GetCapacityAsync(CapacityQuery query, CancellationToken cancellationToken)
    {
        var (nodes, silent) = await AskAllAsync(cancellationToken);
        return silent.FirstOrDefault(node => PlacementPlanner.MayMatchAny([query.Segments], node)) is { } unknown
            ? throw new StorageException(
                StorageErrorCode.Unavailable,
                $"The ledger of node '{unknown}' does not answer at the moment, so its capacity is not known. Try again.")
            : PlacementPlanner.Sum(query, nodes);
    }

    public async Task<IReadOnlyList<NodeCapacity>> GetNodesAsync(CancellationToken cancellationToken) =>
        (await AskAllAsync(cancellationToken)).Nodes;

    /// <summary>Capacity of the nodes whose ledgers answer, and the names of the others.</summary>
    private async Task<(IReadOnlyList<NodeCapacity> Nodes, IReadOnlyList<string> Silent)> AskAllAsync(
        CancellationToken cancellationToken)
    {
        var names = directory.LiveNodes.Order(StringComparer.Ordinal).ToList();
        var answers = await Task.WhenAll(names.Select(node => AskAsync(node, cancellationToken)));
        return ([.. answers.OfType<NodeCapacity>()], [.. names.Where((_, i) => answers[i] is null)]);
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
