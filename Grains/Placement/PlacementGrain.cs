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
    TimeProvider time,
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

    public async Task<IReadOnlyList<NodeCapacity>> GetNodesAsync(
        Dictionary<string, List<string>> awaited, TimeSpan patience, CancellationToken cancellationToken)
    {
        var answers = await Task.WhenAll(directory.LiveNodes.Order(StringComparer.Ordinal).Select(async node =>
        {
            using var late = new CancellationTokenSource(patience, time);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
            var asking = AskAsync(
                node,
                token => grains.GetGrain<INodeGrain>(node).GetCapacityAsync(awaited.GetValueOrDefault(node, []), token),
                limit.Token);
            try
            {
                // A silo that is just dying does not hear of the cancellation either.
                return await asking.WaitAsync(limit.Token);
            }
            catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
            {
                asking.Ignore();
                LogNoAnswer(node, exception);
                return null;
            }
        }));
        return [.. answers.OfType<NodeCapacity>()];
    }

    /// <summary>Capacity of the nodes whose ledgers answer, and the names of the others.</summary>
    private async Task<(IReadOnlyList<NodeCapacity> Nodes, IReadOnlyList<string> Silent)> AskAllAsync(
        CancellationToken cancellationToken)
    {
        var names = directory.LiveNodes.Order(StringComparer.Ordinal).ToList();
        var answers = await Task.WhenAll(names.Select(node =>
            AskAsync(node, token => grains.GetGrain<INodeGrain>(node).GetCapacityAsync(token), cancellationToken)));
        return ([.. answers.OfType<NodeCapacity>()], [.. names.Where((_, i) => answers[i] is null)]);
    }

    private async Task<NodeCapacity?> AskAsync(
        string node, Func<CancellationToken, Task<NodeCapacity>> ask, CancellationToken cancellationToken)
    {
        try
        {
            return await ask(cancellationToken);
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
