using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Failover;
using Carina.Grains.Nodes;

namespace Carina.Grains.Volumes;

// Copies that moves left behind. They hold somebody's data: they are put aside under a handle of their own, and removed only
// when somebody says so.
internal sealed partial class VolumeGrain
{
    public async Task<VolumeRecord> PutCopiesAsideAsync(CancellationToken cancellationToken)
    {
        var record = RequireReady();
        foreach (var copy in record.Retired.Where(c => c.StoredAs.Length == 0 && directory.LiveNodes.Contains(c.NodeName)).ToList())
        {
            await PutAsideAsync(copy, cancellationToken);
        }

        return _record!;
    }

    public async Task<VolumeRecord> DiscardCopyAsync(string nodeName, long generation, string reason, CancellationToken cancellationToken)
    {
        var record = RequireReady();
        if (FindCopy(record, nodeName, generation) is not { } copy)
        {
            return record;
        }

        if (record.Move?.Restores == copy)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition, $"The copy of generation {generation} on node '{nodeName}' is being restored.");
        }

        RequireLive(nodeName, $"rid of its copy of generation {generation}");
        await RemoveCopyAsync(copy, cancellationToken);
        await WriteAsync((_record! with { Retired = [.. _record.Retired.Where(c => c != copy)] }).Remember(
            time.GetUtcNow(), $"The copy of generation {generation} on node '{nodeName}' was deleted: {reason}"));
        crash.Reached("copy.discarded", Id);
        return _record!;
    }

    private static RetiredCopy? FindCopy(VolumeRecord record, string nodeName, long generation) =>
        record.Retired.FirstOrDefault(c => c.NodeName == nodeName && c.Generation == generation);

    private RetiredCopy RequireCopy(VolumeRecord record, string nodeName, long generation)
    {
        if (FindCopy(record, nodeName, generation) is not { } copy)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"Volume '{Id}' has no copy of generation {generation} on node '{nodeName}' (it has: "
                + $"{(record.Retired.Count > 0 ? string.Join(", ", record.Retired.Select(c => $"{c.NodeName}/{c.Generation}")) : "none")}).");
        }

        return copy.StoredAs.Length > 0 ? copy : throw new StorageException(
            StorageErrorCode.FailedPrecondition,
            $"The copy of volume '{Id}' on node '{nodeName}' is not put aside yet: its node does not answer, or still has it open.");
    }

    /// <summary>The place is the copy's own; nothing has to be reserved.</summary>
    private async Task PlaceRestoreAsync(RetiredCopy copy, string toNode)
    {
        if (copy.NodeName != toNode)
        {
            throw new StorageException(
                StorageErrorCode.ResourceExhausted, $"The copy that is to be restored is on node '{copy.NodeName}', not on '{toNode}'.");
        }

        var generation = NextGeneration(_record!);
        await WriteAsync(_record! with
        {
            LastGeneration = generation,
            Move = _record.Move! with { Target = new(copy.NodeName, copy.Pool, generation) },
        });
        crash.Reached("move.restore-placed", Id);
    }

    private async Task<VolumeRecord> RestoreAsync(
        VolumeRecord record, VolumeMove move, RetiredCopy copy, AbandonedPlace target, CancellationToken cancellationToken)
    {
        RequireLive(copy.NodeName, "restored");
        if (move.From is { StoredAs.Length: 0 } current && current.NodeName == copy.NodeName)
        {
            move = move with { From = await MoveAsideAsync(current, cancellationToken) };
            await WriteAsync(record with { Move = move });
            record = _record!;
        }

        var (from, to) = (copy.KeyOf(Id), new DiskVolumeKey(Id, target.Pool, target.Generation));
        var made = await executor.RenameAsync(copy.NodeName, from, to, cancellationToken);
        crash.Reached("move.restore-named", Id);
        await Ledger(copy.NodeName).RenameAsync(from, to, made.Bytes, cancellationToken);
        crash.Reached("move.restore-accounted", Id);
        if (made.Bytes < record.Bytes)
        {
            // The volume has grown since.
            var promise = await Ledger(copy.NodeName).ReserveAsync(new(to, record.Bytes, 0), cancellationToken);
            if (promise.Outcome != ReservationOutcome.Reserved)
            {
                throw new StorageException(
                    StorageErrorCode.Unavailable,
                    $"The copy of volume '{Id}' on node '{copy.NodeName}' has {made.Bytes} bytes, the volume {record.Bytes}, and its pool "
                    + $"has {promise.AvailableBytes} bytes left. Free some; the restore goes on then.");
            }

            made = await executor.ExpandAsync(copy.NodeName, to, promise.Bytes, cancellationToken);
            await Ledger(copy.NodeName).ConfirmAsync(to, made.Bytes, cancellationToken);
        }

        await WriteAsync(record with { Move = move with { Made = made } });
        crash.Reached("move.restored", Id);
        return _record!;
    }

    /// <summary>Gives a copy its old handle back, if it had got the volume's.</summary>
    private async Task UndoRestoreAsync(VolumeMove move, CancellationToken cancellationToken)
    {
        if (move is not { Restores: { } copy, Target: { } target })
        {
            return;
        }

        RequireLive(copy.NodeName, "left as it was");
        if (move.Made is not null)
        {
            // Whoever finds the move after this was interrupted must not take the copy for what is restored already.
            await WriteAsync(_record! with { Move = move with { Made = null } });
        }

        var (from, to) = (new DiskVolumeKey(Id, target.Pool, target.Generation), copy.KeyOf(Id));
        var renamed = await executor.RenameAsync(copy.NodeName, from, to, cancellationToken);
        await Ledger(copy.NodeName).RenameAsync(from, to, renamed.Bytes, cancellationToken);
        crash.Reached("move.restore-undone", Id);
        if (move.From.NodeName == copy.NodeName)
        {
            var own = new DiskVolumeKey(Id, move.From.Pool, move.From.Generation);
            var aside = own with { VolumeId = RetiredCopyId.Of(Id, own.Generation) };
            var back = await executor.RenameAsync(copy.NodeName, aside, own, cancellationToken);
            await Ledger(copy.NodeName).RenameAsync(aside, own, back.Bytes, cancellationToken);
        }
    }

    private async Task PutAsideAsync(RetiredCopy copy, CancellationToken cancellationToken)
    {
        var aside = await MoveAsideAsync(copy, cancellationToken);
        await WriteAsync((_record! with { Retired = [.. _record.Retired.Select(c => c == copy ? aside : c)] })
            .Remember(time.GetUtcNow(), $"The copy of generation {copy.Generation} on node '{copy.NodeName}' is kept there as '{aside.StoredAs}'."));
        crash.Reached("copy.aside", Id);
    }

    private async Task<RetiredCopy> MoveAsideAsync(RetiredCopy copy, CancellationToken cancellationToken)
    {
        var (from, aside) = (copy.KeyOf(Id), copy with { StoredAs = RetiredCopyId.Of(Id, copy.Generation) });
        var renamed = await executor.RenameAsync(copy.NodeName, from, aside.KeyOf(Id), cancellationToken);
        crash.Reached("copy.renamed", Id);
        await Ledger(copy.NodeName).RenameAsync(from, aside.KeyOf(Id), renamed.Bytes, cancellationToken);
        crash.Reached("copy.accounted", Id);
        return aside with { Bytes = renamed.Bytes };
    }

    private async Task RemoveCopyAsync(RetiredCopy copy, CancellationToken cancellationToken)
    {
        // One that was put aside may have its new handle, and its record not say so yet.
        var key = copy.KeyOf(Id);
        var aside = key with { VolumeId = RetiredCopyId.Of(Id, copy.Generation) };
        foreach (var handle in copy.StoredAs.Length > 0 ? [key] : new[] { key, aside })
        {
            await executor.DeleteAsync(copy.NodeName, handle, cancellationToken);
            crash.Reached("copy.off-disk", Id);
            await Ledger(copy.NodeName).ReleaseAsync(handle.VolumeId, handle.Generation, cancellationToken);
            crash.Reached("copy.released", Id);
        }
    }

    /// <summary>
    /// The claim is gone, and its class says that the data goes with it. What lies on nodes that do not answer stays there,
    /// and nobody is made to wait for nodes that may never come back.
    /// </summary>
    private async Task DeleteCopiesAsync(CancellationToken cancellationToken)
    {
        foreach (var copy in _record!.Retired.ToList())
        {
            if (directory.LiveNodes.Contains(copy.NodeName))
            {
                await RemoveCopyAsync(copy, cancellationToken);
            }
            else
            {
                LogCopyLeft(Id, copy.Generation, copy.NodeName, copy.KeyOf(Id).VolumeId);
            }
        }
    }
}
