using System.Diagnostics;
using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Telemetry;
using Carina.Grains.Volumes;
using Microsoft.Extensions.Logging;

namespace Carina.Grains.Failover;

/// <summary>How far one attempt to move a group came.</summary>
public enum MoveOutcome
{
    /// <summary>All volumes are elsewhere and the pods are released.</summary>
    Done,

    /// <summary>Something stands in the way; it is tried again.</summary>
    Waiting,

    /// <summary>The node is back and the volumes stay where they are.</summary>
    Cancelled,
}

/// <summary>
/// Takes the volumes of a group from one node to another: fence → place → make → commit → re-home → release. Each step
/// is stored in the volumes' records first; whoever repeats it from the start finishes what another began.
/// </summary>
internal sealed partial class GroupMove(
    IFailoverWorld world, IVolumeMoves volumes, ICrashPoints crash, TimeProvider time, ILogger<GroupMove> logger)
{
    /// <summary>Runs as far as it can.</summary>
    /// <param name="group">The volumes and their pods.</param>
    /// <param name="node">The node as it was last seen, and why it is to be left.</param>
    /// <param name="cause">Why the volumes move.</param>
    /// <param name="options">What the operator wants.</param>
    /// <param name="isStillLost">Asked again before the point of no return.</param>
    /// <param name="cancellationToken">Ends the attempt; what was begun stays recorded.</param>
    public async Task<MoveOutcome> RunAsync(
        VolumeGroup group,
        NodeVerdict node,
        MoveCause cause,
        FailoverOptions options,
        Func<CancellationToken, Task<bool>> isStillLost,
        CancellationToken cancellationToken)
    {
        var moveId = group.Volumes.Select(v => v.Move?.Id).FirstOrDefault(id => id is not null)
            ?? ActivityTraceId.CreateRandom().ToHexString();
        using var activity = StartSpan("failover", moveId, group);
        activity?.SetTag(CarinaTelemetry.NodeTag, node.Node.Name);
        var started = time.GetTimestamp();
        try
        {
            var records = await BeginAsync(group, moveId, node, cause, cancellationToken);
            if (records.Any(r => r.Move is { Phase: MovePhase.Rehoming or MovePhase.Releasing }))
            {
                // The point of no return is behind: an earlier attempt ended between two commits, or later.
                records = await CommitAsync(records, cancellationToken);
            }
            else
            {
                records = await PrepareAsync(group, records, moveId, node, cancellationToken);
                records = await FenceAsync(group, records, moveId, node, options, cancellationToken);
                if (!await isStillLost(cancellationToken))
                {
                    await CancelAsync(group with { Volumes = records }, $"node '{node.Node.Name}' is back", cancellationToken);
                    return MoveOutcome.Cancelled;
                }

                records = await RelocateAsync(group, records, moveId, cancellationToken);
            }

            await RehomeAsync(group, records, moveId, cancellationToken);
            await ReleaseAsync(group, moveId, node, cause, cancellationToken);
            FailoverMetrics.Finished(cause, "done", time.GetElapsedTime(started));
            return MoveOutcome.Done;
        }
        catch (StorageException exception)
        {
            activity?.SetStatus(ActivityStatusCode.Error, exception.Message);
            await NoteAsync(group, moveId, exception, cancellationToken);
            FailoverMetrics.Finished(cause, "waiting", time.GetElapsedTime(started));
            return MoveOutcome.Waiting;
        }
    }

    /// <summary>Ends the moves of a group that has not left its node yet; what the node had cut off is lifted when it is staged again.</summary>
    public async Task CancelAsync(VolumeGroup group, string reason, CancellationToken cancellationToken)
    {
        foreach (var volume in group.Volumes)
        {
            if (volume.Move is { } move)
            {
                await volumes.Get(volume.VolumeId).CancelMoveAsync(move.Id, reason, cancellationToken);
                FailoverMetrics.Finished(move.Cause, "cancelled", time.GetUtcNow() - move.StartedAt);
            }
        }

        world.Tell(new(FailoverNames.Cancelled, $"The volumes stay where they are: {reason}.", Warning: false)
        {
            Volumes = group.Volumes,
            Pods = group.Pods,
        });
    }

    private async Task<IReadOnlyList<VolumeRecord>> BeginAsync(
        VolumeGroup group, string moveId, NodeVerdict node, MoveCause cause, CancellationToken cancellationToken)
    {
        var records = new List<VolumeRecord>();
        var isNew = false;
        var begun = group.Volumes.Select(v => v.Move).FirstOrDefault(m => m is not null);
        var data = begun is not null ? begun.Data == MoveData.Fresh ? MoveData.Fresh : MoveData.Copy
            : group.Data == FailoverData.Copy || (group.Data == FailoverData.CopyIfReachable && node.Node.SiloLive) ? MoveData.Copy
            : MoveData.Fresh;
        foreach (var volume in group.Volumes)
        {
            if (volume.Move is null && volume.NodeName != node.Node.Name)
            {
                // Finished by an earlier attempt; others of the group are not.
                records.Add(volume);
                continue;
            }

            isNew |= volume.Move is null;
            records.Add(await volumes.Get(volume.VolumeId).BeginMoveAsync(
                new()
                {
                    Id = volume.Move?.Id ?? moveId,
                    Cause = cause,
                    FromNode = volume.Move?.From.NodeName ?? node.Node.Name,
                    To = begun?.To ?? "",
                    Data = data,
                    Prepare = begun?.Phase == MovePhase.Preparing,
                },
                cancellationToken));
        }

        if (isNew)
        {
            LogStarted(group.Name, node.Node.Name, node.Lost);
            world.Tell(new(
                FailoverNames.Started,
                $"The volumes of node {node.Node.Name} are moved to another node, because {node.Lost}.",
                Warning: true)
            {
                NodeName = node.Node.Name,
                Volumes = records,
                Pods = group.Pods,
            });
        }

        return records;
    }

    private async Task<IReadOnlyList<VolumeRecord>> FenceAsync(
        VolumeGroup group,
        IReadOnlyList<VolumeRecord> records,
        string moveId,
        NodeVerdict node,
        FailoverOptions options,
        CancellationToken cancellationToken)
    {
        using var activity = StartSpan("failover.fence", moveId, group);
        var fenced = new List<VolumeRecord>();
        var evidences = new List<string>();
        foreach (var record in records)
        {
            if (record.Move is not { Phase: MovePhase.Fencing } move)
            {
                fenced.Add(record);
                continue;
            }

            var evidence = await FenceAsync(group, record, move, node.Node, options, cancellationToken);
            evidences.Add(evidence);
            fenced.Add(await volumes.Get(record.VolumeId).ConfirmFenceAsync(move.Id, evidence, cancellationToken));
            FailoverMetrics.Phase("fence", time.GetUtcNow() - move.PhaseSince);
        }

        if (evidences.Count > 0)
        {
            world.Tell(new(FailoverNames.Fenced, $"Node {node.Node.Name} cannot write any more: {evidences[0]}", Warning: false)
            {
                NodeName = node.Node.Name,
                Volumes = fenced,
                Pods = group.Pods,
            });
        }

        return fenced;
    }

    /// <summary>How it is known that the old holder cannot write.</summary>
    /// <exception cref="StorageException">Unavailable while it is not known.</exception>
    private async Task<string> FenceAsync(
        VolumeGroup group,
        VolumeRecord record,
        VolumeMove move,
        ObservedNode node,
        FailoverOptions options,
        CancellationToken cancellationToken)
    {
        if (node.OutOfService)
        {
            return "an operator marked the node out of service, which says that its machine is off.";
        }

        var why = "its silo (agent) is not a living member of the cluster";
        if (node.SiloLive)
        {
            try
            {
                var key = new DiskVolumeKey(record.VolumeId, move.From.Pool, move.From.Generation);
                await volumes.FenceAsync(node.Name, key, $"moved to another node ({move.Id})", cancellationToken);
                return "its agent has cut it off and said so.";
            }
            catch (StorageException exception) when (exception.Code is StorageErrorCode.Unavailable or StorageErrorCode.Internal)
            {
                why = exception.Message;
            }
        }

        var (evidence, missing) = LapseEvidence.Find(record, group, node, options);
        return evidence.Length > 0 ? evidence : throw Unfenced($"{why}, and {missing}");

        StorageException Unfenced(string reason) => new(
            StorageErrorCode.Unavailable,
            $"It is not known that node {node.Name} has stopped writing to volume {record.VolumeId}: {reason}. The volume stays until "
            + "that is known. If the machine is off for certain, say so: kubectl taint nodes "
            + $"{node.Name} node.kubernetes.io/out-of-service=nodeshutdown:NoExecute");
    }

    private async Task RehomeAsync(
        VolumeGroup group, IReadOnlyList<VolumeRecord> records, string moveId, CancellationToken cancellationToken)
    {
        using var activity = StartSpan("failover.rehome", moveId, group);
        foreach (var record in records)
        {
            if (record.Move is not { Phase: MovePhase.Rehoming } move)
            {
                continue;
            }

            var grain = volumes.Get(record.VolumeId);
            var isRemembered = move.Manifest.Length > 0;
            var what = await world.RehomeAsync(
                record,
                manifest =>
                {
                    isRemembered = true;
                    return grain.RememberManifestAsync(move.Id, manifest, cancellationToken);
                },
                cancellationToken);
            if (!isRemembered && await grain.GetAsync(cancellationToken) is { Move.Manifest.Length: > 0 })
            {
                // What was not found here may be what another coordinator has just deleted, and has yet to make again.
                throw new StorageException(
                    StorageErrorCode.Aborted, $"The PersistentVolume of volume '{record.VolumeId}' was being bound by another coordinator.");
            }

            await grain.CompleteStepAsync(move.Id, MovePhase.Rehoming, what, cancellationToken);
            FailoverMetrics.Phase("rehome", time.GetUtcNow() - move.PhaseSince);
        }
    }

    private async Task ReleaseAsync(
        VolumeGroup group, string moveId, NodeVerdict node, MoveCause cause, CancellationToken cancellationToken)
    {
        using var activity = StartSpan("failover.release", moveId, group);
        var left = await FindLeftAsync(group, node.Node.Name, cause, cancellationToken);
        var released = await world.ReleaseAsync(left, force: cause == MoveCause.NodeLost, cancellationToken);
        crash.Reached("move.released", group.Name);
        foreach (var volume in group.Volumes)
        {
            var now = await volumes.Get(volume.VolumeId).GetAsync(cancellationToken);
            if (now?.Move is { Phase: MovePhase.Releasing } move)
            {
                await volumes.Get(volume.VolumeId).CompleteStepAsync(
                    move.Id,
                    MovePhase.Releasing,
                    released > 0 ? $"Pods released from node '{node.Node.Name}': {string.Join(", ", left.Select(p => p.Name))}." : "No pod had to be released.",
                    cancellationToken);
                LogDone(volume.VolumeId, node.Node.Name, now.NodeName, (time.GetUtcNow() - move.StartedAt).TotalSeconds);
                FailoverMetrics.Moved(move.Cause, time.GetUtcNow() - move.StartedAt);
                world.Tell(new(
                    FailoverNames.Done,
                    $"Volume {volume.VolumeId} is on node {now.NodeName} now, {Describe(move)} (generation {now.Generation}); "
                    + $"its copy on node {move.From.NodeName} is kept. It took {(time.GetUtcNow() - move.StartedAt).TotalSeconds:0.0} s.",
                    Warning: false)
                {
                    NodeName = node.Node.Name,
                    Volumes = [now],
                    Pods = group.Pods,
                });
            }
        }
    }

    private static string Describe(VolumeMove move) => move.Data switch
    {
        MoveData.Copy => "with what it held",
        MoveData.Restore => $"with what its copy of generation {move.Restores?.Generation} held",
        _ => "new and empty",
    };

    /// <summary>
    /// Pods on the old node. Also those that came to it since the group was looked at: while it was not bound elsewhere
    /// yet, the volume drew its pod's successor to a node that had just come back.
    /// </summary>
    private async Task<IReadOnlyList<VolumePod>> FindLeftAsync(
        VolumeGroup group, string node, MoveCause cause, CancellationToken cancellationToken)
    {
        var records = new List<VolumeRecord>();
        foreach (var volume in group.Volumes)
        {
            if (await volumes.Get(volume.VolumeId).GetAsync(cancellationToken) is { } record && record.NodeName != node)
            {
                records.Add(record);
            }
        }

        // Where the volumes have come back to their own node, whoever waits for them there can go on.
        if (records.Count == 0)
        {
            return [];
        }

        var now = await world.FindGroupsAsync(node, records, cancellationToken);
        return
        [
            .. now.Where(g => g.OptedIn || cause == MoveCause.Requested).SelectMany(g => g.Pods).Concat(group.Pods)
                .Where(p => p.NodeName == node)
                .DistinctBy(p => p.Uid),
        ];
    }

    private async Task NoteAsync(VolumeGroup group, string moveId, StorageException problem, CancellationToken cancellationToken)
    {
        var isNews = group.Volumes.Any(v => v.Move?.Problem != problem.Message);
        foreach (var volume in group.Volumes)
        {
            try
            {
                await volumes.Get(volume.VolumeId).NoteObstacleAsync(volume.Move?.Id ?? moveId, problem.Message, cancellationToken);
            }
            catch (StorageException exception)
            {
                // The record cannot be written either, or has no such move: the log and the Event say what there is to say.
                LogNotNoted(volume.VolumeId, exception.Message);
            }
        }

        if (!isNews)
        {
            return;
        }

        LogWaiting(group.Name, problem.Message);
        world.Tell(new(FailoverNames.Waiting, problem.Message, Warning: true) { Volumes = group.Volumes, Pods = group.Pods });
    }

    /// <summary>A span of the move's own trace, whose id is the move's.</summary>
    private static Activity? StartSpan(string name, string moveId, VolumeGroup group)
    {
        var parent = Activity.Current?.TraceId.ToHexString() == moveId
            ? Activity.Current.Context
            : new ActivityContext(ActivityTraceId.CreateFromString(moveId), ActivitySpanId.CreateRandom(), ActivityTraceFlags.Recorded);
        var activity = CarinaTelemetry.Source.StartActivity(name, ActivityKind.Internal, parent);
        activity?.SetTag(CarinaTelemetry.VolumeIdTag, group.Name);
        return activity;
    }
}
