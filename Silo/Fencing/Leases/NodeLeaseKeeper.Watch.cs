using System.Collections.Concurrent;
using Carina.Grains.Agents;
using Carina.Grains.Errors;

namespace Carina.Silo.Fencing.Leases;

/// <content>Keeping the word: what happens at the deadline.</content>
internal sealed partial class NodeLeaseKeeper
{
    // Cut off since the lease was last renewed in time.
    private readonly ConcurrentDictionary<DiskVolumeKey, bool> _cutOff = new();

    // Whether that was tried at least. A disk that does not answer must not keep the lease from being renewed.
    private volatile bool _fenceTried;

    private async Task WatchLoopAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var pause = Options.Watch;
            try
            {
                var left = TimeLeft();
                if (left > TimeSpan.Zero)
                {
                    _cutOff.Clear();
                    pause = left is { } some && some < Options.Watch ? some : Options.Watch;
                }
                else if (left is null)
                {
                    pause = _idleWatch;
                }
                else if (!await FenceAsync(ReasonNow(), stop).ConfigureAwait(false))
                {
                    pause = Options.RetryInterval;
                }

                _fenceTried = left <= TimeSpan.Zero;
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                LogBroken(exception);
            }

            await Task.Delay(pause, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Time until guarded volumes have to be cut off; null when there are none.</summary>
    private TimeSpan? TimeLeft()
    {
        lock (_lock)
        {
            // Who guards the first volume waits for a renewal, which sets the deadline anew, in here.
            if (guarded.IsEmpty)
            {
                _deadline = null;
                _cutOff.Clear();
                witness?.Release();
            }

            return _deadline - clock.Elapsed;
        }
    }

    private string ReasonNow() =>
        $"this node has not been able to renew its lease since {_since:u} ({_problem}), so that others may take the volume over";

    /// <summary>Cuts the node off from all guarded volumes, at the same time; false when that has to be tried again.</summary>
    private async Task<bool> FenceAsync(string reason, CancellationToken stop)
    {
        var keys = guarded.All.Where(key => !_cutOff.ContainsKey(key)).ToList();
        if (keys.Count == 0)
            return true;

        LogFences(keys.Count, reason);
        using var limit = new CancellationTokenSource(Options.FenceLimit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop);
        var done = await Task.WhenAll(keys.Select(key => FenceAsync(key, reason, either.Token))).ConfigureAwait(false);
        return done.All(one => one);
    }

    private async Task<bool> FenceAsync(DiskVolumeKey key, string reason, CancellationToken limit)
    {
        try
        {
            await fence.FenceAsync(key, reason, limit).ConfigureAwait(false);
        }
        catch (StorageException exception) when (exception.Code is StorageErrorCode.FailedPrecondition or StorageErrorCode.InvalidArgument)
        {
            // The disk has another generation: there is nothing to be cut off.
        }
        catch (Exception exception) when (exception is StorageException or OperationCanceledException)
        {
            // Said by the fence already.
            return false;
        }

        _cutOff[key] = true;
        return true;
    }

    [LoggerMessage(1, LogLevel.Warning, "The node's lease was not renewed; tries on: {Reason}")]
    private partial void LogNotRenewed(string reason);

    [LoggerMessage(2, LogLevel.Warning, "The node's lease is renewed again, by {Who}")]
    private partial void LogRenewedAgain(string who);

    [LoggerMessage(3, LogLevel.Warning, "The node's lease is renewed by silo {Who} in its name: this node cannot reach the API server")]
    private partial void LogRenewedByAnother(string who);

    [LoggerMessage(4, LogLevel.Warning, "The API server is away for most nodes, so nobody can take volumes over; goes on without a lease. {Reason}")]
    private partial void LogAwayForMost(string reason);

    [LoggerMessage(5, LogLevel.Error, "Cuts this node off from {Count} volumes: {Reason}")]
    private partial void LogFences(int count, string reason);

    [LoggerMessage(6, LogLevel.Information, "The node's lease is no longer watched; {Count} volumes cannot be handed over by its lapse until the driver is back")]
    private partial void LogUnwatched(int count);

    [LoggerMessage(7, LogLevel.Error, "The API server could not be told that the node's lease is no longer watched: {Reason}")]
    private partial void LogCannotSay(string reason);

    [LoggerMessage(8, LogLevel.Error, "What this node guards is not known, so its lease does not say that it stops writing in time: {Reason}")]
    private partial void LogDamaged(string reason);

    [LoggerMessage(9, LogLevel.Error, "The keeper of the node's lease failed; goes on")]
    private partial void LogBroken(Exception exception);
}
