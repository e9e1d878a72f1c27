using Carina.Grains.Configuration;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Microsoft.Extensions.Logging;

namespace Carina.Grains.Failover;

/// <summary>
/// Watches the nodes and takes opted-in volumes away from those that are lost. Knows nothing that it could not find again:
/// what is under way is in the volumes' records, so that any other silo can go on at any point. Should two run at once,
/// the records' versions let one of them win each step.
/// </summary>
internal sealed partial class FailoverCoordinator(
    IFailoverWorld world,
    IVolumeMoves volumes,
    ICarinaConfigSource config,
    ICrashPoints crash,
    TimeProvider time,
    ILoggerFactory loggers)
{
    /// <summary>Time between two looks at the nodes.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan _retry = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan _sweep = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan _plannedSweep = TimeSpan.FromSeconds(5);

    // A pod that has not run yet, and whose volume its node is cut off from, usually gets it back when it is staged.
    private static readonly TimeSpan _stagingPatience = TimeSpan.FromSeconds(30);

    private readonly ILogger _logger = loggers.CreateLogger<FailoverCoordinator>();
    private readonly GroupMove _moves = new(world, volumes, crash, time, loggers.CreateLogger<GroupMove>());
    private readonly RetiredCopies _copies = new(world, volumes, time, loggers.CreateLogger<RetiredCopies>());
    private readonly StormBrake _brake = new(time);

    // All of it runs on one scheduler, the grain's.
    private readonly HashSet<string> _underWay = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _lastTry = new(StringComparer.Ordinal);
    private readonly HashSet<string> _told = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _heldUpSince = new(StringComparer.Ordinal);
    private IReadOnlyList<ObservedNode> _nodes = [];
    private HashSet<string> _lost = [];
    private long? _lastSweep;
    private bool _hasPlanned;

    private FailoverOptions Options => config.Current.Failover;

    /// <summary>Looks once and starts what is to be done; returns without waiting for it.</summary>
    /// <param name="cancellationToken">Ends this, and everything that it starts.</param>
    public async Task TickAsync(CancellationToken cancellationToken)
    {
        var options = Options;
        try
        {
            _nodes = await world.ObserveAsync(cancellationToken);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            LogBlind(_logger, exception.Message);
            return;
        }

        var verdicts = NodeAssessment.Assess(_nodes, options);
        var storm = _brake.Find(_nodes, options);
        if (storm.Length > 0)
        {
            TellOnce("storm", new(FailoverNames.Braked, $"No volume is moved: {storm}. Either the network or the API server is the problem.", Warning: true));
        }
        else
        {
            _told.Remove("storm");
        }

        // Until its moves are taken back nobody may use the volumes of a node that has returned.
        var lost = verdicts.Where(v => v.IsLost).Select(v => v.Node.Name).ToHashSet(StringComparer.Ordinal);
        if (!_lost.IsSubsetOf(lost))
        {
            _lastSweep = null;
        }

        _lost = lost;
        foreach (var verdict in verdicts.Where(v => v.IsLost))
        {
            Start("node " + verdict.Node.Name, () => VisitAsync(verdict, storm, cancellationToken));
        }

        foreach (var node in verdicts.Where(v => !v.IsLost).Select(v => v.Node))
        {
            _told.RemoveWhere(key => key.StartsWith($"node {node.Name}\n", StringComparison.Ordinal));
            if (node is { Ready: true, Lease: { Fenced.Count: > 0 } lease } && lease.Silence < lease.Duration)
            {
                Start("fenced " + node.Name, () => RestartFencedAsync(node, cancellationToken));
            }
        }

        StartRequests(verdicts, cancellationToken);
        if (_lastSweep is not { } last || time.GetElapsedTime(last) >= (_hasPlanned ? _plannedSweep : _sweep))
        {
            _lastSweep = time.GetTimestamp();
            foreach (var pod in _heldUpSince.Where(p => time.GetElapsedTime(p.Value) > _stagingPatience * 4).Select(p => p.Key).ToList())
            {
                _heldUpSince.Remove(pod);
            }

            Start("sweep", () => SweepAsync(cancellationToken));
        }
    }

    /// <summary>One visit to a lost node: starts the moves of its groups, or says why not.</summary>
    private async Task VisitAsync(NodeVerdict verdict, string storm, CancellationToken cancellationToken)
    {
        var node = verdict.Node.Name;
        var options = Options;
        var held = await volumes.ListAsync(node, cancellationToken);
        if (held.Count == 0)
        {
            return;
        }

        var groups = await world.FindGroupsAsync(node, held, cancellationToken);
        foreach (var group in groups)
        {
            var isCommitted = group.Volumes.Any(v => v.Move is { Phase: MovePhase.Rehoming or MovePhase.Releasing });
            if (isCommitted)
            {
                StartMove(group, verdict, options, cancellationToken);
            }
            else if (group.Volumes.Any(v => v.Move is { Cause: MoveCause.Requested }))
            {
                // What it was asked for needs this node. Should it be lost for good, that is another matter.
                // Beside the move itself, which may be waiting for pods to end that cannot any more.
                Start("cancelling of " + group.Name, () => _moves.CancelAsync(group, $"node '{node}', which holds the data, is lost", cancellationToken));
            }
            else if (!group.OptedIn)
            {
                if (!verdict.Node.Exists)
                {
                    TellOnce($"node {node}\nlost {group.Name}", new(
                        FailoverNames.Lost,
                        $"Node {node}, which held this volume, was deleted. The volume did not opt in to failover, so it is not made anew "
                        + "elsewhere: its data is on that machine's disk. It is usable again when the node comes back.",
                        Warning: true)
                    { Volumes = group.Volumes, Pods = group.Pods });
                }
            }
            else if (FindHindrance(group, verdict, storm, options) is { Length: > 0 } hindrance)
            {
                TellOnce($"node {node}\n{group.Name} {hindrance}", new(
                    options.DryRun && storm.Length == 0 ? FailoverNames.DryRun : FailoverNames.Skipped, hindrance, Warning: true)
                { NodeName = node, Volumes = group.Volumes, Pods = group.Pods });
            }
            else
            {
                StartMove(group, verdict, options, cancellationToken);
            }
        }
    }

    /// <summary>Why an opted-in group of a lost node is not moved now; empty when it is.</summary>
    private string FindHindrance(VolumeGroup group, NodeVerdict verdict, string storm, FailoverOptions options)
    {
        if (storm.Length > 0)
        {
            return $"Not moved: {storm}.";
        }

        if (!options.Enabled)
        {
            return "Not moved: failover is switched off (failover.enabled in ConfigMap carina-csi-config).";
        }

        if (verdict.Spared.Length > 0)
        {
            return $"Not moved: {verdict.Spared}.";
        }

        if (group.Data == FailoverData.Copy && !verdict.Node.SiloLive && group.Volumes.All(v => v.Move is null))
        {
            return $"Not moved: its data is to be copied ({FailoverDataPolicy.Key}), and the agent of node {verdict.Node.Name} does not answer.";
        }

        var justMoved = group.Volumes.SelectMany(v => v.Retired).Select(r => r.RetiredAt).DefaultIfEmpty().Max();
        if (time.GetUtcNow() - justMoved < options.Cooldown)
        {
            return $"Not moved yet: it was moved at {justMoved:u} already, less than {options.Cooldown.TotalSeconds:0} s ago.";
        }

        return options.DryRun
            ? $"Would be moved away from node {verdict.Node.Name}, because {verdict.Lost} (failover.dryRun is set)."
            : "";
    }

    private void StartMove(VolumeGroup group, NodeVerdict verdict, FailoverOptions options, CancellationToken cancellationToken)
    {
        var cause = group.Volumes.Select(v => v.Move?.Cause).FirstOrDefault(c => c is not null) ?? MoveCause.NodeLost;
        StartPaced("group " + group.Name, () => _moves.RunAsync(
            group,
            verdict,
            cause,
            options,
            token => cause == MoveCause.Requested ? Task.FromResult(true) : IsStillLostAsync(verdict.Node.Name, token),
            cancellationToken));
    }

    private async Task<bool> IsStillLostAsync(string node, CancellationToken cancellationToken)
    {
        try
        {
            var nodes = await world.ObserveAsync(cancellationToken);
            if (_brake.Find(nodes, Options) is { Length: > 0 } storm)
            {
                throw new StorageException(StorageErrorCode.Unavailable, $"The move is held up: {storm}.");
            }

            return nodes.FirstOrDefault(n => n.Name == node) is { } found
                && NodeAssessment.Assess([found], Options)[0].IsLost;
        }
        catch (Exception exception) when (exception is not StorageException && !cancellationToken.IsCancellationRequested)
        {
            throw new StorageException(
                StorageErrorCode.Unavailable, $"Whether node '{node}' is still lost cannot be said: {exception.Message}", exception);
        }
    }

    /// <summary>Finishes, or takes back, moves whose node is not lost any more, and those that another coordinator left.</summary>
    private async Task SweepAsync(CancellationToken cancellationToken)
    {
        var all = await volumes.ListUnsettledAsync(cancellationToken);
        Start("clean-up", () => CleanUpAsync([.. all.Where(v => v.Abandoned.Count > 0)], cancellationToken));
        var unsettled = all.Where(v => v.State == VolumeState.Ready).ToList();
        foreach (var volume in unsettled.Where(v => v is { Move: null, Retired.Count: > 0 }))
        {
            Start("copies of " + volume.VolumeId, () => _copies.SettleAsync(volume, Options, cancellationToken));
        }

        _hasPlanned = unsettled.Any(v => v.Move is { Cause: MoveCause.Requested });
        foreach (var from in unsettled.Where(v => v.Move is not null).GroupBy(v => v.Move!.From.NodeName, StringComparer.Ordinal))
        {
            var observed = _nodes.FirstOrDefault(n => n.Name == from.Key);
            var verdict = NodeAssessment.Assess([observed ?? new() { Name = from.Key, Exists = false, SiloLive = false }], Options)[0];
            if (verdict.IsLost)
            {
                // Its visits go on with it.
                continue;
            }

            foreach (var group in await FindAllGroupsAsync(from.Key, [.. from], cancellationToken))
            {
                if (group.Volumes.All(v => v.Move is { Cause: MoveCause.NodeLost, Phase: MovePhase.Fencing or MovePhase.Relocating }))
                {
                    await _moves.CancelAsync(group, $"node '{from.Key}' is back", cancellationToken);
                }
                else
                {
                    StartMove(group, verdict, Options, cancellationToken);
                }
            }
        }
    }

    /// <summary>
    /// Has removed what was made at places that were given up while their node was away: its ledger has a promise for it,
    /// so that nobody else would wonder.
    /// </summary>
    private async Task CleanUpAsync(List<VolumeRecord> littered, CancellationToken cancellationToken)
    {
        foreach (var volume in littered)
        {
            try
            {
                await volumes.Get(volume.VolumeId).CleanUpAsync(cancellationToken);
            }
            catch (Exception exception) when (exception is not OutOfMemoryException && !cancellationToken.IsCancellationRequested)
            {
                // One node whose agent hangs must not keep the others from being cleaned up.
                LogFailed(_logger, "clean-up of " + volume.VolumeId, exception.Message);
            }
        }
    }

    /// <summary>
    /// Pods that sit on volumes which their own node cut off, and which they may use again, are restarted: a mount that
    /// was cut off never works again. Nor does one that was made for a pod which could not start since.
    /// </summary>
    private async Task RestartFencedAsync(ObservedNode node, CancellationToken cancellationToken)
    {
        var held = (await volumes.ListAsync(node.Name, cancellationToken))
            .Where(v => v.Move is null && node.Lease!.Fenced.Contains(v.VolumeId))
            .ToList();
        foreach (var group in held.Count > 0 ? await world.FindGroupsAsync(node.Name, held, cancellationToken) : [])
        {
            // All that use the volume at once: each of them alone keeps it mounted for the others.
            var here = group.Pods.Where(p => p.NodeName == node.Name).ToList();
            var dead = here.FindAll(p => p.HasRun || HasWaited(p)).Count > 0 ? here : [];
            if (dead.Count > 0 && await world.ReleaseAsync(dead, force: false, cancellationToken) > 0)
            {
                world.Tell(new(
                    FailoverNames.Restarted,
                    $"Node {node.Name} had stopped writing to its volumes while it was cut off. It is back and keeps them; "
                    + "the pods are restarted, since what they have open stays dead.",
                    Warning: true)
                { NodeName = node.Name, Volumes = group.Volumes, Pods = dead });
            }
        }
    }

    private bool HasWaited(VolumePod pod)
    {
        if (!_heldUpSince.TryGetValue(pod.Uid, out var since))
        {
            _heldUpSince.Add(pod.Uid, since = time.GetTimestamp());
        }

        return time.GetElapsedTime(since) > _stagingPatience;
    }

    private void StartPaced(string key, Func<Task<MoveOutcome>> work, TimeSpan? pace = null)
    {
        if (_lastTry.TryGetValue(key, out var last) && time.GetElapsedTime(last) < (pace ?? _retry))
        {
            return;
        }

        Start(key, async () =>
        {
            await work();
            _lastTry[key] = time.GetTimestamp();
        });
    }

    /// <summary>Runs something unless it is under way already. What fails is logged and tried again at a later look.</summary>
    private void Start(string key, Func<Task> work)
    {
        if (_underWay.Add(key))
        {
            _ = RunAsync();
        }

        async Task RunAsync()
        {
            try
            {
                await work();
            }
            catch (Exception exception) when (exception is not OutOfMemoryException)
            {
                LogFailed(_logger, key, exception.Message);
            }
            finally
            {
                _underWay.Remove(key);
            }
        }
    }

    private void TellOnce(string key, FailoverNotice notice)
    {
        if (_told.Add(key))
        {
            LogTold(_logger, notice.Reason, notice.Message);
            world.Tell(notice);
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Nothing can be said about the nodes, so nothing is done: {Reason}")]
    private static partial void LogBlind(ILogger logger, string reason);

    [LoggerMessage(2, LogLevel.Warning, "Failover, {Key}: {Reason}; looks again")]
    private static partial void LogFailed(ILogger logger, string key, string reason);

    [LoggerMessage(3, LogLevel.Warning, "{Reason}: {Text}")]
    private static partial void LogTold(ILogger logger, string reason, string text);
}
