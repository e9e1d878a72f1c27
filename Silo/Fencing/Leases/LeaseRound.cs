using Carina.Grains.Agents;
using Carina.Grains.Errors;

namespace Carina.Silo.Fencing.Leases;

/// <summary>What came of a round.</summary>
internal enum RoundOutcome
{
    /// <summary>The API server has the renewal.</summary>
    Renewed,

    /// <summary>Nobody could renew it, and for more than half of all nodes the API server is away: nobody can take anything.</summary>
    AwayForMost,

    /// <summary>Nobody could renew it; for all that is known only this node is cut off.</summary>
    Failed,
}

/// <param name="Outcome">What came of it.</param>
/// <param name="Detail">Who renewed, if it was another, or why nobody could; for people.</param>
/// <param name="IsOutrun">The lease bears a later time than this node's clock.</param>
internal sealed record RoundResult(RoundOutcome Outcome, string Detail, bool IsOutrun = false);

/// <summary>One renewal, by this node or, where it cannot reach the API server, in its name by others.</summary>
internal sealed class LeaseRound(INodeLeases leases, ILeaseHelpers helpers, NodeLeaseOptions options, TimeProvider time)
{
    /// <param name="renewal">What is to be written, by whomever.</param>
    /// <param name="known">All nodes known at the last renewal that succeeded; empty when there was none.</param>
    /// <param name="askOthers">Whether it matters enough.</param>
    /// <param name="cancellationToken">Ends the round.</param>
    public async Task<RoundResult> RunAsync(
        NodeLeaseRenewal renewal, IReadOnlySet<string> known, bool askOthers, CancellationToken cancellationToken)
    {
        var silent = new HashSet<string>(StringComparer.Ordinal);
        string reason;
        try
        {
            await leases.RenewAsync(renewal, cancellationToken).ConfigureAwait(false);
            return new(RoundOutcome.Renewed, "");
        }
        catch (StorageException exception)
        {
            reason = exception.Message;
            if (exception.Code == StorageErrorCode.Aborted)
                return new(RoundOutcome.Failed, reason, IsOutrun: true);

            if (exception.Code == StorageErrorCode.Unavailable)
                silent.Add(renewal.NodeName);
        }

        if (!askOthers)
            return new(RoundOutcome.Failed, reason);

        if (await AskOthersAsync(renewal, silent, cancellationToken).ConfigureAwait(false) is { } helper)
            return new(RoundOutcome.Renewed, helper);

        var away = silent.Count(known.Contains);
        return away * 2 > known.Count
            ? new(RoundOutcome.AwayForMost, $"{away} of {known.Count} nodes cannot reach the API server. {reason}")
            : new(RoundOutcome.Failed, reason);
    }

    /// <summary>The silo that renewed; null when none could. Adds the nodes that cannot reach the API server.</summary>
    private async Task<string?> AskOthersAsync(NodeLeaseRenewal renewal, HashSet<string> silent, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(options.AskTimeout, time);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var all = Shuffle(Known());
        var first = all.Where(helper => !helper.IsNode).Concat(all.Where(helper => helper.IsNode).Take(options.NodesAskedFirst)).ToList();
        var pending = first.ConvertAll(helper => AskAsync(helper, renewal, end.Token));
        var pause = Task.Delay(options.FirstAsked, time, end.Token);
        var askedAll = false;
        try
        {
            while (true)
            {
                if (!askedAll && (pending.Count == 0 || pause.IsCompleted))
                {
                    askedAll = true;
                    pending.AddRange(all.Except(first).Select(helper => AskAsync(helper, renewal, end.Token)));
                }

                if (pending.Count == 0)
                    return null;

                var ended = await Task.WhenAny(askedAll ? pending : [.. pending, pause]).ConfigureAwait(false);
                if (ended is not Task<(LeaseHelper Helper, LeaseRenewalOutcome? Outcome)> answered)
                    continue;

                pending.Remove(answered);
                var (helper, outcome) = await answered.ConfigureAwait(false);
                if (outcome == LeaseRenewalOutcome.Renewed)
                    return helper.Name;

                if (outcome == LeaseRenewalOutcome.ApiUnreachable && helper.IsNode)
                    silent.Add(helper.Name);
            }
        }
        finally
        {
            await end.CancelAsync().ConfigureAwait(false);
        }
    }

    private IReadOnlyList<LeaseHelper> Known()
    {
        try
        {
            return helpers.Others;
        }
        catch (Exception exception) when (exception is InvalidOperationException or OrleansException or ObjectDisposedException)
        {
            // The silo has not started yet, or is stopping.
            return [];
        }
    }

    private static List<LeaseHelper> Shuffle(IReadOnlyList<LeaseHelper> helpers)
    {
        var array = helpers.ToArray();
        Random.Shared.Shuffle(array);
        return [.. array];
    }

    private static async Task<(LeaseHelper Helper, LeaseRenewalOutcome? Outcome)> AskAsync(
        LeaseHelper helper, NodeLeaseRenewal renewal, CancellationToken stop)
    {
        try
        {
            return (helper, await helper.AskAsync(renewal, stop).WaitAsync(stop).ConfigureAwait(false));
        }
        catch (Exception)
        {
            // Whatever it was, it says nothing about the API server.
            return (helper, null);
        }
    }
}
