using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Tests.Failover.Simulation.Cluster;

namespace Carina.Grains.Tests.Failover.Simulation.Node;

/// <summary>The rules of NodeLeaseKeeper, LeaseRound and DeadlineWitness (Silo/Fencing/Leases), in a simulated process.</summary>
internal sealed class SimLeaseKeeper(SimCluster cluster, SimSilo silo)
{
    private enum Outcome
    {
        Renewed,
        AwayForMost,
        Failed,
    }

    private readonly SimMachine _machine = silo.Process.Machine;
    private readonly SimAgent _agent = silo.Agent!;
    private readonly HashSet<DiskVolumeKey> _cutOff = [];
    private List<TaskCompletionSource> _waiters = [];
    private TaskCompletionSource _wake = new();
    private TimeSpan? _deadline;
    private HashSet<string>? _announced;
    private HashSet<string> _known = [];
    private DateTimeOffset _lastTime;
    private bool _fenceTried;
    private Outcome? _last;

    public bool IsRenewed => _last == Outcome.Renewed;

    public bool IsLapsed => Elapsed >= _deadline;

    private TimeSpan Elapsed => _machine.Elapsed;

    private TimeSpan FenceAfter =>
        cluster.Mutation == SimMutation.LateDeadline ? SimLeaseRules.FenceAfter * 3 : SimLeaseRules.FenceAfter;

    private bool IsIdle => _machine.GuardedFile.Count == 0;

    public bool MayAnnounce(string volumeId) => _announced?.Contains(volumeId) != false;

    public void Wake() => _wake.TrySetResult();

    public async Task RenewNowAsync(CancellationToken cancellationToken)
    {
        var waiter = new TaskCompletionSource();
        _waiters.Add(waiter);
        Wake();
        await waiter.Task.WaitAsync(cancellationToken);
    }

    public void Start()
    {
        if (IsIdle)
        {
            Release();
        }

        _deadline = IsIdle ? null : Elapsed + SimLeaseRules.FirstRound;
        _agent.FencesChanged = Wake;
        silo.Process.Start(RenewLoopAsync);
        silo.Process.Start(WatchLoopAsync);
    }

    private async Task RenewLoopAsync()
    {
        while (true)
        {
            var started = Elapsed;
            var pause = SimLeaseRules.Watch;
            if (!IsLapsed || _fenceTried)
            {
                pause = await RenewAsync()
                    ? (IsIdle ? SimLeaseRules.IdleInterval : SimLeaseRules.RenewInterval) - (Elapsed - started)
                    : SimLeaseRules.RetryInterval;
            }

            if (pause > TimeSpan.Zero)
            {
                using var limit = new CancellationTokenSource(pause, silo.Process.Time);
                await _wake.Task.WaitAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            }

            _wake = _wake.Task.IsCompleted ? new() : _wake;
        }
    }

    private async Task<bool> RenewAsync()
    {
        var waiters = _waiters;
        _waiters = [];
        var started = Elapsed;
        var renewal = Compose();
        _announced?.UnionWith(renewal.Fenced);
        if (renewal.Guarded)
        {
            Promise(started + FenceAfter);
        }

        var (outcome, isOutrun) = await RoundAsync(renewal, renewal.Guarded || waiters.Count > 0);
        var deadline = started + FenceAfter;
        if (outcome == Outcome.Renewed)
        {
            _announced = [.. renewal.Fenced];
            _known = [.. silo.LiveNodes, silo.Name];
            if (renewal.Guarded && (_deadline is null || _deadline < deadline))
            {
                MoveTo(deadline);
            }
        }
        else if (outcome == Outcome.AwayForMost && _deadline < deadline)
        {
            MoveTo(deadline);
        }

        _last = outcome;
        if (isOutrun && await FindLastAsync() is { } last && last > _lastTime)
        {
            _lastTime = last;
        }

        foreach (var waiter in waiters)
        {
            if (outcome == Outcome.Renewed)
            {
                waiter.TrySetResult();
            }
            else
            {
                waiter.TrySetException(new StorageException(StorageErrorCode.Unavailable, "The lease cannot be renewed now."));
            }
        }

        return outcome == Outcome.Renewed;
    }

    private async Task<(Outcome Outcome, bool IsOutrun)> RoundAsync(NodeLeaseRenewal renewal, bool askOthers)
    {
        var silent = new HashSet<string>();
        try
        {
            await WriteAsync(silo, renewal, CancellationToken.None);
            return (Outcome.Renewed, false);
        }
        catch (StorageException exception)
        {
            if (exception.Code == StorageErrorCode.Aborted)
            {
                return (Outcome.Failed, true);
            }

            silent.Add(renewal.NodeName);
        }

        if (askOthers && await AskOthersAsync(renewal, silent))
        {
            return (Outcome.Renewed, false);
        }

        return (askOthers && silent.Count(_known.Contains) * 2 > _known.Count ? Outcome.AwayForMost : Outcome.Failed, false);
    }

    private async Task<bool> AskOthersAsync(NodeLeaseRenewal renewal, HashSet<string> silent)
    {
        using var limit = new CancellationTokenSource(SimLeaseRules.AskTimeout, silo.Process.Time);
        var all = silo.View.Where(s => s != silo).ToArray();
        cluster.Simulator.Random.Shuffle(all);
        var first = all.Where(s => !s.IsNode).Concat(all.Where(s => s.IsNode).Take(SimLeaseRules.NodesAskedFirst)).ToList();
        List<Task> pending = [.. first.Select(s => AskAsync(s, renewal, limit.Token))];
        var pause = Task.Delay(SimLeaseRules.FirstAsked, silo.Process.Time, limit.Token);
        var askedAll = false;
        try
        {
            while (true)
            {
                if (!askedAll && (pending.Count == 0 || pause.IsCompleted))
                {
                    askedAll = true;
                    pending.AddRange(all.Except(first).Select(s => AskAsync(s, renewal, limit.Token)));
                }

                if (pending.Count == 0)
                {
                    return false;
                }

                var ended = await Task.WhenAny(askedAll ? pending : [.. pending, pause]);
                if (ended is not Task<(SimSilo Silo, LeaseRenewalOutcome? Outcome)> answered)
                {
                    continue;
                }

                pending.Remove(answered);
                var (helper, outcome) = await answered;
                if (outcome == LeaseRenewalOutcome.Renewed)
                {
                    return true;
                }

                if (outcome == LeaseRenewalOutcome.ApiUnreachable && helper.IsNode)
                {
                    silent.Add(helper.Name);
                }
            }
        }
        finally
        {
            limit.Cancel();
        }
    }

    private async Task<(SimSilo Silo, LeaseRenewalOutcome? Outcome)> AskAsync(SimSilo helper, NodeLeaseRenewal renewal, CancellationToken stop)
    {
        try
        {
            return (helper, await silo.CallAsync<LeaseRenewalOutcome>(helper, TimeSpan.FromSeconds(30), async token =>
            {
                try
                {
                    await WriteAsync(helper, renewal, token);
                    return LeaseRenewalOutcome.Renewed;
                }
                catch (StorageException exception) when (exception.Code == StorageErrorCode.Unavailable)
                {
                    return LeaseRenewalOutcome.ApiUnreachable;
                }
            }, stop));
        }
        catch (Exception exception) when (exception is not SimCrashException)
        {
            return (helper, null);
        }
    }

    /// <summary>No renewal replaces a later one, however late it arrives.</summary>
    private Task<bool> WriteAsync(SimSilo writer, NodeLeaseRenewal renewal, CancellationToken stop) => cluster.Network.AskApiAsync(
        writer.Process,
        () =>
        {
            var known = cluster.Api.Leases.GetValueOrDefault(renewal.NodeName);
            if (known is not null && known.Renewal.RenewedAt >= renewal.RenewedAt)
            {
                return known.Renewal.RenewedAt == renewal.RenewedAt && known.Renewal.Holder == renewal.Holder
                    ? true
                    : throw new StorageException(StorageErrorCode.Aborted, "The lease was renewed later already.");
            }

            cluster.Api.Leases[renewal.NodeName] = new(renewal, (known?.Version ?? 0) + 1);
            return true;
        },
        stop,
        SimLeaseRules.RequestTimeout);

    private async Task<DateTimeOffset?> FindLastAsync()
    {
        try
        {
            return await cluster.Network.AskApiAsync(
                silo.Process, () => cluster.Api.Leases.GetValueOrDefault(silo.Name)?.Renewal.RenewedAt, CancellationToken.None, SimLeaseRules.RequestTimeout);
        }
        catch (StorageException)
        {
            return null;
        }
    }

    private NodeLeaseRenewal Compose()
    {
        var now = silo.Process.Time.GetUtcNow();
        _lastTime = now > _lastTime ? now : _lastTime + TimeSpan.FromMicroseconds(1);
        return new()
        {
            NodeName = silo.Name,
            Holder = silo.Process.Name,
            RenewedAt = _lastTime,
            Duration = IsIdle ? SimLeaseRules.IdleDuration : SimLeaseRules.Duration,
            Guarded = !IsIdle,
            Fenced = [.. _agent.Confirmed.Where(k => _machine.FencedFile.GetValueOrDefault(k.VolumeId) == k).Select(k => k.VolumeId).Order(StringComparer.Ordinal)],
        };
    }

    private async Task WatchLoopAsync()
    {
        while (true)
        {
            if (IsIdle)
            {
                _deadline = null;
                _cutOff.Clear();
                Release();
            }

            var left = _deadline - Elapsed;
            var pause = SimLeaseRules.RetryInterval;
            if (left > TimeSpan.Zero)
            {
                // The real one looks every 250 ms; a deadline only ever moves later, so that nothing is missed by sleeping.
                _cutOff.Clear();
                pause = left.Value + cluster.Simulator.Between(0, SimLeaseRules.Watch.TotalSeconds / 4);
            }
            else if (left is not null)
            {
                pause = await FenceAsync() ? SimLeaseRules.Watch : SimLeaseRules.RetryInterval;
            }

            _fenceTried = left <= TimeSpan.Zero;
            await silo.Process.Delay(pause);
        }
    }

    private async Task<bool> FenceAsync()
    {
        var keys = _machine.GuardedFile.Values.Where(key => !_cutOff.Contains(key)).ToList();
        using var limit = new CancellationTokenSource(SimLeaseRules.FenceLimit, silo.Process.Time);
        var done = await Task.WhenAll(keys.Select(async key =>
        {
            try
            {
                await _agent.FenceAsync(key, limit.Token);
            }
            catch (StorageException)
            {
                // The disk has another generation.
            }
            catch (OperationCanceledException)
            {
                return false;
            }

            _cutOff.Add(key);
            return true;
        }));
        return done.All(d => d);
    }

    // What the guard process is told.
    private void Promise(TimeSpan deadline)
    {
        if (!_machine.HasDeadline || !_machine.Deadline.Guarded)
        {
            (_machine.HasDeadline, _machine.Deadline) = (true, (true, deadline));
        }
    }

    private void MoveTo(TimeSpan deadline)
    {
        _deadline = deadline;
        (_machine.HasDeadline, _machine.Deadline) = (true, (true, deadline));
    }

    private void Release() => (_machine.HasDeadline, _machine.Deadline) = (true, (false, default));
}
