using System.Diagnostics;
using System.Globalization;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Microsoft.Extensions.Logging;

namespace Carina.Grains.Failover;

// What operators ask for: moves, evacuations, and what becomes of copies.
internal sealed partial class FailoverCoordinator
{
    /// <summary>Groups of one node that are moved at the same time: copying takes disks and network from everybody.</summary>
    private const int EvacuatedAtOnce = 2;

    private void StartRequests(IReadOnlyList<NodeVerdict> verdicts, CancellationToken cancellationToken)
    {
        foreach (var request in world.Requests)
        {
            Start($"request {request.VolumeId} {request.Key}", () => TakeUpAsync(request, cancellationToken));
        }

        foreach (var verdict in verdicts.Where(v => v.Node is { Evacuate: true, Exists: true, SiloLive: true } && !v.IsLost))
        {
            StartPaced("evacuation of " + verdict.Node.Name, () => EvacuateAsync(verdict, cancellationToken), _plannedSweep);
        }
    }

    private async Task TakeUpAsync(VolumeRequest request, CancellationToken cancellationToken)
    {
        var record = await volumes.Get(request.VolumeId).GetAsync(cancellationToken);
        try
        {
            if (record is not { State: VolumeState.Ready })
            {
                throw Refusal("the volume does not exist, or is being deleted");
            }

            await (request.Kind switch
            {
                VolumeRequestKind.Cancel => CancelAsync(record, cancellationToken),
                VolumeRequestKind.Discard => DiscardAsync(record, request.Value, cancellationToken),
                _ => BeginAsync(record, request, cancellationToken),
            });
        }
        catch (StorageException exception) when (
            exception.Code is not (StorageErrorCode.Unavailable or StorageErrorCode.Internal or StorageErrorCode.Aborted))
        {
            world.Tell(new(
                FailoverNames.MoveRefused, $"{request.Key}: {request.Value} is not done: {exception.Message}", Warning: true)
            { Volumes = record is null ? [] : [record] });
            LogRefused(_logger, request.VolumeId, request.Key, request.Value, exception.Message);
        }

        await world.AnswerAsync(request, cancellationToken);
    }

    private async Task BeginAsync(VolumeRecord record, VolumeRequest request, CancellationToken cancellationToken)
    {
        if (record.Move is not null)
        {
            throw Refusal($"it is being moved already, away from node '{record.Move.From.NodeName}'");
        }

        var copy = request.Kind == VolumeRequestKind.Restore ? ParseCopy(request.Value) : default;
        var to = request.Kind == VolumeRequestKind.Restore ? copy.Node : request.Value == FailoverNames.AnyNode ? "" : request.Value;
        if (request.Kind == VolumeRequestKind.Move && to == record.NodeName)
        {
            throw Refusal($"it is on node '{to}' already");
        }

        if (to.Length > 0 && _nodes.FirstOrDefault(n => n.Name == to) is not { Exists: true })
        {
            throw Refusal($"there is no node '{to}'");
        }

        var held = await volumes.ListAsync(record.NodeName, cancellationToken);
        var group = (await FindAllGroupsAsync(record.NodeName, [.. held.Where(v => v.VolumeId != record.VolumeId), record], cancellationToken))
            .First(g => g.Volumes.Any(v => v.VolumeId == record.VolumeId));
        if (request.Kind == VolumeRequestKind.Restore && to == record.NodeName)
        {
            // Nothing goes elsewhere, so what its pods use besides can stay.
            group = group with { Volumes = [record] };
        }

        await BeginGroupAsync(group, record.NodeName, to, record.VolumeId, copy.Generation, cancellationToken);
    }

    /// <summary>Records the moves of all volumes of a group, or of none, and starts them.</summary>
    private async Task BeginGroupAsync(
        VolumeGroup group, string from, string to, string restored, long generation, CancellationToken cancellationToken)
    {
        var id = ActivityTraceId.CreateRandom().ToHexString();
        var begun = new List<VolumeRecord>();
        try
        {
            foreach (var volume in group.Volumes)
            {
                var isRestored = generation > 0 && volume.VolumeId == restored;
                begun.Add(await volumes.Get(volume.VolumeId).BeginMoveAsync(
                    new()
                    {
                        Id = id,
                        Cause = MoveCause.Requested,
                        FromNode = from,
                        To = to,
                        Data = isRestored ? MoveData.Restore : MoveData.Copy,
                        RestoredGeneration = isRestored ? generation : 0,
                        Prepare = true,
                    },
                    cancellationToken));
            }
        }
        catch (StorageException)
        {
            foreach (var volume in begun)
            {
                await volumes.Get(volume.VolumeId).CancelMoveAsync(id, "another volume of its pods cannot be moved", cancellationToken);
            }

            throw;
        }

        world.Tell(new(
            FailoverNames.Moving,
            $"Is moved from node {from} to {(to.Length > 0 ? "node " + to : "another node")}, with what it holds. Its pods go on until that is copied.",
            Warning: false)
        { NodeName = from, Volumes = begun, Pods = group.Pods });
        _hasPlanned = true;
        StartMove(group with { Volumes = begun }, VerdictOf(from), Options, cancellationToken);
    }

    private async Task CancelAsync(VolumeRecord record, CancellationToken cancellationToken)
    {
        if (record.Move is not { } move)
        {
            throw Refusal("it is not being moved");
        }

        var moving = (await volumes.ListUnsettledAsync(cancellationToken)).Where(v => v.State == VolumeState.Ready && v.Move?.Id == move.Id).ToList();
        await _moves.CancelAsync(
            new() { Volumes = moving.Count > 0 ? moving : [record], Pods = [], OptedIn = true }, "an operator cancelled the move", cancellationToken);
    }

    private async Task DiscardAsync(VolumeRecord record, string value, CancellationToken cancellationToken)
    {
        var (node, generation) = ParseCopy(value);
        if (!record.Retired.Any(c => c.NodeName == node && c.Generation == generation))
        {
            throw Refusal($"it has no copy of generation {generation} on node '{node}'");
        }

        if (record.Move is { Restores: { } restored } && restored.NodeName == node && restored.Generation == generation)
        {
            throw Refusal("that copy is being restored");
        }

        var now = await volumes.Get(record.VolumeId).DiscardCopyAsync(node, generation, $"asked for ({FailoverNames.DiscardCopy})", cancellationToken);
        world.Tell(new(FailoverNames.Discarded, $"The copy of generation {generation} on node {node} was deleted, as asked for.", Warning: false)
        {
            NodeName = node,
            Volumes = [now],
        });
    }

    /// <summary>Starts the moves of some of a node's groups; those that are left are started at later looks.</summary>
    private async Task<MoveOutcome> EvacuateAsync(NodeVerdict verdict, CancellationToken cancellationToken)
    {
        var node = verdict.Node.Name;
        var groups = await FindAllGroupsAsync(node, await volumes.ListAsync(node, cancellationToken), cancellationToken);
        if (groups.Count == 0)
        {
            TellOnce($"node {node}\nevacuated", new(
                FailoverNames.Evacuated, $"Node {node} holds no volume in use any more. Copies that were left there are kept.", Warning: false)
            { NodeName = node });
            return MoveOutcome.Done;
        }

        _told.Remove($"node {node}\nevacuated");
        var underWay = groups.Count(g => g.Volumes.Any(v => v.Move is not null));
        foreach (var group in groups.Where(g => g.Volumes.All(v => v.Move is null)).Take(Math.Max(0, EvacuatedAtOnce - underWay)))
        {
            await BeginGroupAsync(group, node, "", "", 0, cancellationToken);
        }

        return MoveOutcome.Waiting;
    }

    /// <summary>As the world finds them; volumes that no claim is bound to are groups of their own.</summary>
    private async Task<IReadOnlyList<VolumeGroup>> FindAllGroupsAsync(
        string node, IReadOnlyList<VolumeRecord> held, CancellationToken cancellationToken)
    {
        var groups = await world.FindGroupsAsync(node, held, cancellationToken);
        var known = groups.SelectMany(g => g.Volumes).Select(v => v.VolumeId).ToHashSet(StringComparer.Ordinal);
        return [.. groups, .. held.Where(v => !known.Contains(v.VolumeId)).Select(v => new VolumeGroup { Volumes = [v], Pods = [], OptedIn = false })];
    }

    private NodeVerdict VerdictOf(string node) => NodeAssessment.Assess(
        [_nodes.FirstOrDefault(n => n.Name == node) ?? new() { Name = node, Exists = false, SiloLive = false }], Options)[0];

    private static (string Node, long Generation) ParseCopy(string value)
    {
        var slash = value.LastIndexOf('/');
        return slash > 0 && long.TryParse(value.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var generation)
            ? (value[..slash], generation)
            : throw Refusal($"'{value}' is not a copy, <node>/<generation> as in spec.retiredCopies");
    }

    private static StorageException Refusal(string reason) => new(StorageErrorCode.FailedPrecondition, reason + ".");

    [LoggerMessage(4, LogLevel.Warning, "Volume {VolumeId}: {Key}={Value} is not done: {Reason}")]
    private static partial void LogRefused(ILogger logger, string volumeId, string key, string value, string reason);
}
