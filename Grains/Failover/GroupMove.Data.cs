using System.Diagnostics;
using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;

namespace Carina.Grains.Failover;

// Taking along what the volumes hold: once while they are used, and once more when nobody writes to them.
internal sealed partial class GroupMove
{
    private static readonly TimeSpan _podPoll = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _podPatience = TimeSpan.FromMinutes(10);

    /// <summary>Makes the volumes' places and copies to them while the pods go on; then ends the pods.</summary>
    private async Task<IReadOnlyList<VolumeRecord>> PrepareAsync(
        VolumeGroup group, IReadOnlyList<VolumeRecord> records, string moveId, NodeVerdict node, CancellationToken cancellationToken)
    {
        if (records.Any(r => r.Move is { Phase: MovePhase.Preparing }))
        {
            using var activity = StartSpan("failover.prepare", moveId, group);
            var made = records.Any(r => r.Move is { Data: MoveData.Copy }) ? await MakeAsync(group, records, cancellationToken) : records;
            foreach (var record in made.Where(r => r.Move is { Data: MoveData.Copy }))
            {
                await CopyAsync(record, pass: 1, cancellationToken);
            }

            await JoinAsync(group, made, moveId, node, cancellationToken);
            var running = (await RefreshAsync(group, made, node, cancellationToken)).Pods.Where(p => p.NodeName == node.Node.Name).ToList();
            if (await world.FindEvictionObstacleAsync(running, cancellationToken) is { Length: > 0 } obstacle)
            {
                throw new StorageException(StorageErrorCode.Unavailable, $"The pods cannot be ended yet: {obstacle}");
            }

            var ready = new List<VolumeRecord>();
            foreach (var record in made)
            {
                ready.Add(record.Move is null ? record : await volumes.Get(record.VolumeId).EndPreparationAsync(record.Move.Id, cancellationToken));
            }

            records = ready;
        }

        if (records.Any(r => r.Move is { Cause: MoveCause.Requested, Phase: MovePhase.Fencing }))
        {
            await EndPodsAsync(group, records, moveId, node, cancellationToken);
        }

        return records;
    }

    /// <summary>
    /// What its pods use besides goes with it: when the move began there may have been no pod that told, and a pod whose
    /// volumes are on two nodes can never run.
    /// </summary>
    private async Task JoinAsync(
        VolumeGroup group, IReadOnlyList<VolumeRecord> records, string moveId, NodeVerdict node, CancellationToken cancellationToken)
    {
        var from = node.Node.Name;
        var move = records.Select(r => r.Move).First(m => m is not null)!;
        if (move.To == from)
        {
            return;
        }

        var known = records.Select(r => r.VolumeId).ToHashSet(StringComparer.Ordinal);
        var groups = await world.FindGroupsAsync(from, await volumes.ListAsync(from, cancellationToken), cancellationToken);
        var others = groups.Where(g => g.Volumes.Any(v => known.Contains(v.VolumeId)))
            .SelectMany(g => g.Volumes).Where(v => !known.Contains(v.VolumeId)).ToList();
        if (others.Count == 0)
        {
            return;
        }

        var names = string.Join(", ", others.Select(v => v.VolumeId));
        if (others.Any(v => v.Move is { } other && other.Id != moveId))
        {
            await CancelAsync(group with { Volumes = records }, $"its pods also use {names}, moved on its own at the same time", cancellationToken);
            throw new StorageException(StorageErrorCode.Aborted, $"The move of volume '{group.Name}' was cancelled.");
        }

        foreach (var other in others)
        {
            await volumes.Get(other.VolumeId).BeginMoveAsync(
                new() { Id = moveId, Cause = move.Cause, FromNode = from, To = move.To, Data = MoveData.Copy, Prepare = true }, cancellationToken);
        }

        throw new StorageException(StorageErrorCode.Unavailable, $"Its pods also use {names}, which go with it.");
    }

    /// <summary>Ends the pods in order, so that what they hold is on the disk.</summary>
    private async Task EndPodsAsync(
        VolumeGroup group, IReadOnlyList<VolumeRecord> records, string moveId, NodeVerdict node, CancellationToken cancellationToken)
    {
        using var activity = StartSpan("failover.evict", moveId, group);
        var started = time.GetTimestamp();
        while (time.GetElapsedTime(started) < _podPatience)
        {
            // Pods of a move that was cancelled, or went on elsewhere, are not to be ended, nor are their successors.
            foreach (var record in records.Where(r => r.Move is { Phase: MovePhase.Fencing }))
            {
                if (await volumes.Get(record.VolumeId).GetAsync(cancellationToken) is not { Move.Phase: MovePhase.Fencing } now
                    || now.Move.Id != record.Move!.Id)
                {
                    throw new StorageException(StorageErrorCode.Aborted, $"The move of volume '{record.VolumeId}' went on, or ended, meanwhile.");
                }
            }

            var left = (await RefreshAsync(group, records, node, cancellationToken)).Pods
                .Where(p => p.NodeName == node.Node.Name && p.HasRun).ToList();
            if (left.Count == 0)
            {
                return;
            }

            await world.EvictAsync(left, cancellationToken);
            await Task.Delay(_podPoll, time, cancellationToken);
        }

        throw new StorageException(
            StorageErrorCode.Unavailable, $"The pods on node {node.Node.Name} have not ended within {_podPatience.TotalMinutes:0} minutes.");
    }

    /// <summary>The group's pods as they are now: those that were there at the beginning may have had successors.</summary>
    private async Task<VolumeGroup> RefreshAsync(
        VolumeGroup group, IReadOnlyList<VolumeRecord> records, NodeVerdict node, CancellationToken cancellationToken)
    {
        var now = await world.FindGroupsAsync(node.Node.Name, records, cancellationToken);
        return group with { Volumes = records, Pods = [.. now.SelectMany(g => g.Pods).DistinctBy(p => p.Uid)] };
    }

    /// <summary>What nobody writes to any more is compared to the last byte.</summary>
    private async Task<IReadOnlyList<VolumeRecord>> CopyExactlyAsync(
        VolumeGroup group, IReadOnlyList<VolumeRecord> records, string moveId, CancellationToken cancellationToken)
    {
        if (!records.Any(r => r.Move is { Data: MoveData.Copy, Copied.Length: 0, Phase: MovePhase.Relocating }))
        {
            return records;
        }

        using var activity = StartSpan("failover.copy", moveId, group);
        var copied = new List<VolumeRecord>();
        foreach (var record in records)
        {
            if (record.Move is not { Data: MoveData.Copy, Copied.Length: 0, Phase: MovePhase.Relocating } move)
            {
                copied.Add(record);
                continue;
            }

            try
            {
                var started = time.GetTimestamp();
                var progress = await CopyAsync(record, pass: 2, cancellationToken);
                FailoverMetrics.Phase("copy", time.GetElapsedTime(started));
                copied.Add(await volumes.Get(record.VolumeId).ConfirmCopyAsync(
                    move.Id,
                    move.Target!,
                    $"{progress.TotalBytes} bytes were compared with the copy on node '{move.Target!.NodeName}', {progress.SentBytes} sent at last; "
                    + $"sha256 of all blocks {progress.Checksum}",
                    cancellationToken));
            }
            catch (StorageException exception) when (move.Cause == MoveCause.NodeLost && group.Data == FailoverData.CopyIfReachable)
            {
                await volumes.Get(record.VolumeId).ForgoCopyAsync(move.Id, exception.Message, cancellationToken);
                throw;
            }
        }

        return copied;
    }

    private async Task<CopyProgress> CopyAsync(VolumeRecord record, int pass, CancellationToken cancellationToken)
    {
        var move = record.Move!;
        var order = new CopyOrder
        {
            MoveId = move.Id,
            Pass = pass,
            From = new(record.VolumeId, move.From.Pool, move.From.Generation),
            ToNode = move.Target!.NodeName,
            To = new(record.VolumeId, move.Target.Pool, move.Target.Generation),

            // A first pass is not begun beside another that still runs: it could put back what was there before.
            Attempt = pass > 1 ? ActivityTraceId.CreateRandom().ToHexString() : "",
        };
        while (true)
        {
            // It waits a little itself.
            var progress = await volumes.CopyAsync(move.From.NodeName, order, cancellationToken);
            if (progress.Problem.Length > 0)
            {
                throw new StorageException(
                    StorageErrorCode.Unavailable,
                    $"Volume {record.VolumeId} could not be copied from node {move.From.NodeName} to {order.ToNode} "
                    + $"({progress.DoneBytes} of {progress.TotalBytes} bytes done): {progress.Problem}");
            }

            if (progress.IsDone)
            {
                return progress;
            }
        }
    }
}
