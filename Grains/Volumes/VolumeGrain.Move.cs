using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Failover;
using Carina.Grains.Nodes;
using Carina.Grains.Placement;

namespace Carina.Grains.Volumes;

// A move: fence → relocate → rehome → release. The grain keeps the volume's side of it; a coordinator drives it.
internal sealed partial class VolumeGrain
{
    public async Task<VolumeRecord> BeginMoveAsync(MoveOrder order, CancellationToken cancellationToken)
    {
        var record = RequireReady();
        if (record.Move is { } current)
        {
            return current.Id == order.Id
                ? record
                : throw new StorageException(
                    StorageErrorCode.Aborted,
                    $"Volume '{Id}' is being moved already, away from node '{current.From.NodeName}'.");
        }

        if (record.NodeName != order.FromNode)
        {
            throw WrongNode(record, order.FromNode);
        }

        var now = time.GetUtcNow();
        var move = new VolumeMove
        {
            Id = order.Id,
            Cause = order.Cause,
            Phase = order.Prepare ? MovePhase.Preparing : MovePhase.Fencing,
            From = new(record.NodeName, record.Pool, record.Generation, record.Bytes),
            StartedAt = now,
            PhaseSince = now,
            To = order.To,
            Data = order.Data,
            Restores = order.Data == MoveData.Restore ? RequireCopy(record, order.To, order.RestoredGeneration) : null,
        };
        var why = order.Cause == MoveCause.NodeLost ? "the node is lost" : "requested";
        await WriteAsync((record with { Move = move }).Remember(
            now, $"Is to leave node '{order.FromNode}'{(order.To.Length > 0 ? $" for node '{order.To}'" : "")}: {why}."));
        crash.Reached("move.begun", Id);
        return _record!;
    }

    public async Task CancelMoveAsync(string moveId, string reason, CancellationToken cancellationToken)
    {
        ThrowIfRefused();
        if (_record?.Move is not { } move || move.Id != moveId)
        {
            return;
        }

        if (move.Phase is MovePhase.Rehoming or MovePhase.Releasing)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"Volume '{Id}' has moved to node '{_record.NodeName}' already; the move can only be finished.");
        }

        await UndoRestoreAsync(move, cancellationToken);
        await WriteAsync((WithoutTarget(_record!) with { Move = null }).Remember(time.GetUtcNow(), $"Stays where it is: {reason}"));
        await CleanUpAsync(cancellationToken);
    }

    public async Task<VolumeRecord> ConfirmFenceAsync(
        string moveId, string evidence, CancellationToken cancellationToken)
    {
        var (record, move) = RequireMove(moveId);
        if (move.Phase == MovePhase.Fencing)
        {
            var now = time.GetUtcNow();
            await WriteAsync((record with
            {
                Move = move with { Phase = MovePhase.Relocating, PhaseSince = now, Fence = evidence, Problem = "" },
            }).Remember(now, $"Node '{move.From.NodeName}' cannot write to it any more: {evidence}"));
            crash.Reached("move.fenced", Id);
        }

        return _record!;
    }

    public async Task<VolumeRecord> PlaceMoveAsync(string moveId, string toNode, CancellationToken cancellationToken)
    {
        var (record, move) = RequireMove(moveId);
        switch (move.Phase)
        {
            case MovePhase.Fencing when !MayBePlaced(move):
                throw new StorageException(
                    StorageErrorCode.FailedPrecondition,
                    $"Volume '{Id}' is not made on node '{toNode}': node '{move.From.NodeName}' may still write to it.");
            case MovePhase.Rehoming or MovePhase.Releasing:
                return record;
        }

        if (move.Target?.NodeName != toNode)
        {
            await ChooseTargetAsync(toNode, cancellationToken);
        }

        return _record!;
    }

    public async Task<VolumeRecord> MakeMoveAsync(string moveId, CancellationToken cancellationToken)
    {
        var (record, move) = RequireMove(moveId);
        if (!MayBePlaced(move) || move.Made?.Bytes >= record.Bytes)
        {
            return record;
        }

        var target = RequireTarget(move);
        if (move.Restores is { } copy)
        {
            return await RestoreAsync(record, move, copy, target, cancellationToken);
        }

        var key = new DiskVolumeKey(Id, target.Pool, target.Generation);

        // A promise that lapsed meanwhile is renewed, or refused.
        var promise = await Ledger(target.NodeName).ReserveAsync(new(key, record.Bytes, 0), cancellationToken);
        if (promise.Outcome != ReservationOutcome.Reserved)
        {
            throw new StorageException(
                StorageErrorCode.ResourceExhausted,
                $"Node '{target.NodeName}' has no room for volume '{Id}' any more ({promise.AvailableBytes} bytes left).");
        }

        // It may have grown while the move was prepared.
        var made = move.Made is null
            ? await executor.CreateAsync(target.NodeName, key, promise.Bytes, cancellationToken)
            : await executor.ExpandAsync(target.NodeName, key, promise.Bytes, cancellationToken);
        crash.Reached("move.on-disk", Id);
        await Ledger(target.NodeName).ConfirmAsync(key, made.Bytes, cancellationToken);
        crash.Reached("move.confirmed", Id);
        await WriteAsync(record with { Move = move with { Made = made } });
        crash.Reached("move.made", Id);
        return _record!;
    }

    public async Task<VolumeRecord> UnplaceMoveAsync(string moveId, CancellationToken cancellationToken)
    {
        var (_, move) = RequireMove(moveId);
        if (MayBePlaced(move) && move.Target is not null)
        {
            await UndoRestoreAsync(move, cancellationToken);
            await WriteAsync(WithoutTarget(_record!));
            await CleanUpAsync(cancellationToken);
        }

        return _record!;
    }

    public async Task<VolumeRecord> CommitMoveAsync(string moveId, CancellationToken cancellationToken)
    {
        var (record, move) = RequireMove(moveId);
        if (move.Phase is MovePhase.Rehoming or MovePhase.Releasing)
        {
            return record;
        }

        var target = RequireTarget(move);
        var made = move.Made ?? throw new StorageException(
            StorageErrorCode.FailedPrecondition, $"Volume '{Id}' is not made on node '{target.NodeName}' yet.");
        if (move.Phase != MovePhase.Relocating || (move.Data == MoveData.Copy && move.Copied.Length == 0))
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition, $"What volume '{Id}' holds is not copied to node '{target.NodeName}' completely yet.");
        }

        var now = time.GetUtcNow();
        await WriteAsync((record with
        {
            NodeName = target.NodeName,
            Pool = target.Pool,
            Generation = target.Generation,
            Guard = null,
            Bytes = made.Bytes,
            TargetBytes = made.Bytes,
            DevicePath = made.DevicePath,
            PublishedNodes = [],
            Retired = [.. record.Retired.Where(c => c != move.Restores), move.From with { RetiredAt = now }],
            Move = move with { Phase = MovePhase.Rehoming, PhaseSince = now, Target = null, Made = null, Problem = "" },
        }).Remember(
            now,
            $"{Describe(move)} generation {target.Generation} in pool '{target.Pool}' on node '{target.NodeName}'; "
            + $"generation {move.From.Generation} on node '{move.From.NodeName}' is kept."));
        crash.Reached("move.relocated", Id);
        return _record!;
    }

    public async Task RememberManifestAsync(string moveId, string manifest, CancellationToken cancellationToken)
    {
        var (record, move) = RequireMove(moveId);
        if (move.Manifest != manifest)
        {
            await WriteAsync(record with { Move = move with { Manifest = manifest } });
        }
    }

    public async Task<VolumeRecord> CompleteStepAsync(
        string moveId, MovePhase done, string what, CancellationToken cancellationToken)
    {
        ThrowIfRefused();
        if (_record?.Move is not { } move || move.Id != moveId || move.Phase != done)
        {
            return RequireReady();
        }

        var now = time.GetUtcNow();
        var next = done switch
        {
            MovePhase.Rehoming => move with { Phase = MovePhase.Releasing, PhaseSince = now, Manifest = "", Problem = "" },
            MovePhase.Releasing => null,
            _ => throw new ArgumentOutOfRangeException(nameof(done), done, "This step has a method of its own."),
        };
        await WriteAsync((_record with { Move = next }).Remember(now, what));
        if (next is null)
        {
            crash.Reached("move.done", Id);
        }
        else
        {
            crash.Reached("move.rehomed", Id);
        }

        return _record!;
    }

    public async Task NoteObstacleAsync(string moveId, string problem, CancellationToken cancellationToken)
    {
        var (record, move) = RequireMove(moveId);
        if (move.Problem != problem)
        {
            await WriteAsync(record with { Move = move with { Problem = problem } });
        }
    }

    public async Task GuardAsync(string nodeName, long generation, CancellationToken cancellationToken)
    {
        var record = await AuthorizeAsync(nodeName, cancellationToken);
        if (record.Generation != generation)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"Node '{nodeName}' has generation {generation} of volume '{Id}'; generation {record.Generation} is the one in use.");
        }

        if (_record!.Guard is not { } guard || guard.NodeName != nodeName || guard.Generation != generation)
        {
            await WriteAsync(_record with { Guard = new(nodeName, generation, time.GetUtcNow()) });
        }
    }

    public async Task UnguardAsync(string nodeName, long generation, CancellationToken cancellationToken)
    {
        ThrowIfRefused();
        if (_record?.Guard is { } guard && guard.NodeName == nodeName && guard.Generation == generation)
        {
            await WriteAsync(_record with { Guard = null });
        }
    }

    /// <summary>Reserves on the node and records that the volume is made there.</summary>
    private async Task ChooseTargetAsync(string toNode, CancellationToken cancellationToken)
    {
        await WriteIfChangedAsync(WithoutTarget(_record!));
        if (_record!.Move is { Restores: { } copy })
        {
            await PlaceRestoreAsync(copy, toNode);
            return;
        }

        if (_record.Move!.From.NodeName == toNode)
        {
            throw new StorageException(
                StorageErrorCode.ResourceExhausted, $"Node '{toNode}' is the one that volume '{Id}' is to leave.");
        }

        // What was made there before is in the way of what is to be made.
        await CleanUpAsync(place => place.NodeName == toNode, cancellationToken);
        await MakeWayAsync(toNode, cancellationToken);
        var record = _record!;
        var generation = NextGeneration(record);
        var ranking = await GrainFactory.GetGrain<IPlacementGrain>(0).RankAsync(
            new PlacementRequest
            {
                Bytes = record.Bytes,
                LimitBytes = 0,
                Pool = record.Parameters.GetValueOrDefault(CarinaNames.DiskGroup, record.Pool),
                Requisite = [new() { [CarinaNames.TopologyKey] = toNode }],
                Preferred = [],
            },
            cancellationToken);
        foreach (var candidate in ranking.Candidates)
        {
            var key = new DiskVolumeKey(Id, candidate.Pool, generation);
            var reservation = await Ledger(candidate.NodeName).ReserveAsync(new(key, record.Bytes, 0), cancellationToken);
            if (reservation.Outcome == ReservationOutcome.Reserved)
            {
                crash.Reached("move.reserved", Id);
                await WriteAsync(record with
                {
                    LastGeneration = generation,
                    Move = record.Move with { Target = new(candidate.NodeName, candidate.Pool, generation) },
                });
                crash.Reached("move.recorded", Id);
                return;
            }
        }

        throw new StorageException(
            ranking.Silent.Count > 0 ? StorageErrorCode.Unavailable : StorageErrorCode.ResourceExhausted,
            $"Node '{toNode}' has no room for volume '{Id}' of {record.Bytes} bytes"
            + (ranking.Refusals.Count > 0 ? ": " + string.Join("; ", ranking.Refusals.Take(5)) : "."));
    }

    /// <summary>An older copy on the node gives up the volume's handle there.</summary>
    private async Task MakeWayAsync(string node, CancellationToken cancellationToken)
    {
        foreach (var copy in _record!.Retired.Where(c => c.NodeName == node && c.StoredAs.Length == 0).ToList())
        {
            try
            {
                await PutAsideAsync(copy, cancellationToken);
            }
            catch (StorageException exception) when (exception.Code is not StorageErrorCode.Aborted)
            {
                throw new StorageException(
                    StorageErrorCode.ResourceExhausted,
                    $"Node '{node}' holds an older copy of volume '{Id}' that cannot be put aside now: {exception.Message}",
                    exception);
            }
        }
    }

    private AbandonedPlace RequireTarget(VolumeMove move) => move.Target ?? throw new StorageException(
        StorageErrorCode.FailedPrecondition, $"No place is reserved for volume '{Id}' yet.");

    // What was prepared had a place before it was fenced; others of its group may still be looking for one.
    private static bool MayBePlaced(VolumeMove move) => move.Phase is MovePhase.Relocating or MovePhase.Preparing
        || move is { Phase: MovePhase.Fencing, Cause: MoveCause.Requested };

    private static bool IsHeldUp(VolumeRecord record) => record.Move is { Phase: MovePhase.Fencing or MovePhase.Relocating };

    private StorageException BeingMoved(VolumeRecord record) => new(
        StorageErrorCode.Unavailable,
        $"Volume '{Id}' is leaving node '{record.Move!.From.NodeName}' since {record.Move.StartedAt:u}; nobody may use it until it "
        + $"is elsewhere, or the move is cancelled{(record.Move.Problem.Length > 0 ? $" (at the moment: {record.Move.Problem})" : "")}.");

    // Nobody ever used what may be at a target, so it is removed as any abandoned place is; but a restored copy, which has
    // its old handle back by then, is no such thing.
    private static VolumeRecord WithoutTarget(VolumeRecord record) => record.Move?.Target is { } target
        ? record with
        {
            Move = record.Move with { Target = null, Made = null, Copied = "", From = record.Move.From with { StoredAs = "" } },
            Abandoned = record.Move.Restores is null ? [.. record.Abandoned, target] : record.Abandoned,
        }
        : record;

    private static string Describe(VolumeMove move) => move.Data switch
    {
        MoveData.Copy => "Copied, as",
        MoveData.Restore => $"The copy of generation {move.Restores!.Generation} restored as",
        _ => "Made anew, empty, with",
    };

    private static long NextGeneration(VolumeRecord record) =>
        record.Abandoned.Select(a => a.Generation).Append(record.Generation).Append(record.LastGeneration).Max() + 1;

    private Task WriteIfChangedAsync(VolumeRecord record) =>
        ReferenceEquals(record, _record) ? Task.CompletedTask : WriteAsync(record);

    private (VolumeRecord Record, VolumeMove Move) RequireMove(string moveId)
    {
        var record = RequireReady();
        return record.Move is { } move && move.Id == moveId
            ? (record, move)
            : throw new StorageException(
                StorageErrorCode.Aborted, $"Move {moveId} of volume '{Id}' is not under way any more.");
    }
}
