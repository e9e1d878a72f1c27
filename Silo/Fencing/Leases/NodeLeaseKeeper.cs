using System.Collections.Immutable;
using System.Threading.Channels;
using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Nodes;
using Carina.Silo.Fencing.Guard;
using Microsoft.Extensions.Options;

namespace Carina.Silo.Fencing.Leases;

/// <summary>
/// Renews this node's lease, and cuts the node off from its guarded volumes before others may think that the lease has
/// lapsed. The two do not wait for each other.
/// </summary>
internal sealed partial class NodeLeaseKeeper(
    GuardedVolumes guarded,
    FencedVolumes fenced,
    IVolumeFence fence,
    INodeLeases leases,
    ILeaseHelpers helpers,
    INodeDirectory directory,
    ILocalSiloDetails self,
    ILeaseClock clock,
    IOptions<SiloOptions> silo,
    IOptions<NodeLeaseOptions> options,
    TimeProvider time,
    ILogger<NodeLeaseKeeper> logger,
    DeadlineWitness witness,
    GuardSight guard) : BackgroundService
{
    private static readonly TimeSpan _microsecond = TimeSpan.FromMicroseconds(1);
    private static readonly TimeSpan _idleWatch = TimeSpan.FromSeconds(1);

    private readonly LeaseRound _round = new(leases, helpers, options.Value, time);
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Lock _lock = new();
    private List<TaskCompletionSource> _waiters = [];
    private bool _ended;

    // When guarded volumes have to be cut off; null while nothing is guarded.
    private TimeSpan? _deadline;

    // What the lease says of fenced volumes, or may say; null before the first renewal.
    private ImmutableHashSet<string>? _announced;

    // All nodes at the last renewal that succeeded.
    private ImmutableHashSet<string> _known = [];
    private DateTimeOffset _lastTime;
    private DateTimeOffset _since;
    private string _problem = "it was not renewed yet";
    private RoundOutcome? _last;

    private NodeLeaseOptions Options => options.Value;

    private string Node => silo.Value.NodeName;

    /// <summary>Whether the last try to renew succeeded.</summary>
    public bool IsRenewed => _last == RoundOutcome.Renewed;

    /// <summary>Whether guarded volumes are, or are being, cut off.</summary>
    public bool IsLapsed
    {
        get
        {
            lock (_lock)
            {
                return clock.Elapsed >= _deadline;
            }
        }
    }

    /// <summary>Whether the lease may say that this node has stopped writing to the volume.</summary>
    public bool MayAnnounce(string volumeId)
    {
        lock (_lock)
        {
            return _announced?.Contains(volumeId) != false;
        }
    }

    /// <summary>Renews soon: something that the lease says has changed.</summary>
    public void Wake() => _wake.Writer.TryWrite(true);

    /// <summary>Returns once a renewal has succeeded that began after the call.</summary>
    /// <exception cref="StorageException">Unavailable when it failed.</exception>
    public async Task RenewNowAsync(CancellationToken cancellationToken)
    {
        var waiter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_ended)
                throw Failure("the driver is stopping");

            _waiters.Add(waiter);
        }

        Wake();
        await waiter.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Begins to renew. Before anything can be guarded, what an earlier process promised is taken back.</summary>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        if (guarded.IsEmpty)
            witness.Release();

        return base.StartAsync(cancellationToken);
    }

    /// <summary>Stops renewing. From then on nobody is here to stop writing, and the lease has to say so.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken).ConfigureAwait(false);
        if (guarded.IsEmpty)
            return;

        try
        {
            await leases.RenewAsync(Compose() with { Guarded = false }, cancellationToken).ConfigureAwait(false);
            witness.Release();
            LogUnwatched(guarded.All.Count);
        }
        catch (Exception exception)
        {
            // Others would take a lapse for a fence.
            LogCannotSay(exception.Message);
            await FenceAsync("the driver stopped here, and could not tell the API server that nobody watches the node's lease any more", CancellationToken.None)
                .ConfigureAwait(false);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        _since = time.GetUtcNow();
        lock (_lock)
        {
            // A renewal may have come first, from a caller in a hurry; only it can have set this.
            _deadline ??= guarded.IsEmpty ? null : clock.Elapsed + Options.FirstRound;
        }

        if (guarded.Damage.Length > 0)
            LogDamaged(guarded.Damage);

        fenced.Changed += Wake;
        try
        {
            await Task.WhenAll(RenewLoopAsync(stoppingToken), WatchLoopAsync(stoppingToken)).ConfigureAwait(false);
        }
        finally
        {
            fenced.Changed -= Wake;
        }
    }

    private async Task RenewLoopAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var started = clock.Elapsed;
            var pause = Options.RetryInterval;
            try
            {
                // After a suspend the fence comes first.
                if (!IsLapsed || _fenceTried)
                {
                    var renewed = await RenewAsync(stop).ConfigureAwait(false);
                    pause = !renewed ? Options.RetryInterval
                        : (guarded.IsEmpty ? Options.IdleInterval : Options.RenewInterval) - (clock.Elapsed - started);
                }
                else
                {
                    pause = Options.Watch;
                }
            }
            catch (Exception exception) when (!stop.IsCancellationRequested)
            {
                LogBroken(exception);
            }
            catch (OperationCanceledException)
            {
                break;
            }

            await SleepAsync(pause, stop).ConfigureAwait(false);
        }

        lock (_lock)
        {
            _ended = true;
            Complete(_waiters, "the driver is stopping");
        }
    }

    private async Task<bool> RenewAsync(CancellationToken stop)
    {
        List<TaskCompletionSource> waiters;
        lock (_lock)
        {
            (waiters, _waiters) = (_waiters, []);
        }

        string? problem = "the driver is stopping";
        try
        {
            // Taken before anything is sent: others may count from the moment at which it is written.
            var started = clock.Elapsed;
            var renewal = Compose();
            lock (_lock)
            {
                _announced = _announced?.Union(renewal.Fenced);

                // Should this process hang from here on, the guard process keeps what the lease may say in a moment.
                if (renewal.Guarded)
                    witness.Promise(started + Options.FenceAfter);
            }

            var result = await _round.RunAsync(renewal, _known, renewal.Guarded || waiters.Count > 0, stop).ConfigureAwait(false);
            await TakeInAsync(result, renewal, started, stop).ConfigureAwait(false);
            problem = result.Outcome == RoundOutcome.Renewed ? null : result.Detail;
            return problem is null;
        }
        finally
        {
            Complete(waiters, problem);
        }
    }

    private async Task TakeInAsync(RoundResult result, NodeLeaseRenewal renewal, TimeSpan started, CancellationToken stop)
    {
        var before = _last;
        lock (_lock)
        {
            var deadline = started + Options.FenceAfter;
            if (result.Outcome == RoundOutcome.Renewed)
            {
                _announced = [.. renewal.Fenced];
                if (renewal.Guarded && (_deadline is null || _deadline < deadline))
                    MoveTo(deadline);
            }
            else if (result.Outcome == RoundOutcome.AwayForMost && _deadline < deadline)
            {
                MoveTo(deadline);
            }

            _last = result.Outcome;
        }

        switch (result.Outcome)
        {
            case RoundOutcome.Renewed:
                _known = [.. directory.LiveNodes, Node];
                _since = renewal.RenewedAt;
                if (before is not (null or RoundOutcome.Renewed))
                    LogRenewedAgain(result.Detail.Length > 0 ? result.Detail : "this node itself");
                else if (result.Detail.Length > 0 && _problem != result.Detail)
                    LogRenewedByAnother(result.Detail);

                _problem = result.Detail;
                break;
            case RoundOutcome.AwayForMost when before != RoundOutcome.AwayForMost:
                LogAwayForMost(result.Detail);
                _problem = result.Detail;
                break;
            case RoundOutcome.Failed:
                _problem = result.Detail;
                if (before != RoundOutcome.Failed)
                    LogNotRenewed(result.Detail);

                if (result.IsOutrun && await leases.FindLastAsync(Node, stop).ConfigureAwait(false) is { } last && last > _lastTime)
                    _lastTime = last;

                break;
        }
    }

    private void MoveTo(TimeSpan deadline)
    {
        _deadline = deadline;
        witness.MoveTo(deadline);
    }

    private NodeLeaseRenewal Compose()
    {
        var now = time.GetUtcNow();
        now = now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMicrosecond));

        // However the node's clock is set, a renewal never looks older than those before.
        _lastTime = now > _lastTime ? now : _lastTime + _microsecond;
        var isGuarded = !guarded.IsEmpty && guarded.Damage.Length == 0;
        return new()
        {
            NodeName = Node,
            Holder = self.SiloAddress.ToParsableString(),
            RenewedAt = _lastTime,
            Duration = isGuarded ? Options.Duration : Options.IdleDuration,
            Guarded = isGuarded,
            Guard = guard.Look(),
            Fenced = [.. fenced.Confirmed.Select(volume => volume.VolumeId).Order(StringComparer.Ordinal)],
        };
    }

    private void Complete(List<TaskCompletionSource> waiters, string? problem)
    {
        foreach (var waiter in waiters)
        {
            if (problem is null)
                waiter.TrySetResult();
            else
                waiter.TrySetException(Failure(problem));
        }
    }

    private StorageException Failure(string problem) =>
        new(StorageErrorCode.Unavailable, $"The lease of node '{Node}' cannot be renewed now: {problem}");

    private async Task SleepAsync(TimeSpan longest, CancellationToken stop)
    {
        if (longest <= TimeSpan.Zero)
            return;

        using var limit = new CancellationTokenSource(longest, time);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop, limit.Token);
        try
        {
            await _wake.Reader.ReadAsync(end.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // Time to renew, or the host stops.
        }
    }
}
