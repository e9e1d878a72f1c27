using Carina.Grains.Errors;
using Carina.Grains.Failover;

namespace Carina.Grains.Volumes;

// What a volume holds goes with it.
internal sealed partial class VolumeGrain
{
    public async Task<VolumeRecord> EndPreparationAsync(string moveId, CancellationToken cancellationToken)
    {
        var (record, move) = RequireMove(moveId);
        if (move.Phase == MovePhase.Preparing)
        {
            await WriteAsync(record with
            {
                Move = move with { Phase = MovePhase.Fencing, PhaseSince = time.GetUtcNow(), Problem = "" },
            });
            crash.Reached("move.prepared", Id);
        }

        return _record!;
    }

    public async Task<VolumeRecord> ConfirmCopyAsync(
        string moveId, AbandonedPlace target, string evidence, CancellationToken cancellationToken)
    {
        var (record, move) = RequireMove(moveId);
        if (move.Phase == MovePhase.Relocating && move.Target != target)
        {
            throw new StorageException(
                StorageErrorCode.Aborted, $"Volume '{Id}' was copied to node '{target.NodeName}', which is not where it goes any more.");
        }

        if (move is { Phase: MovePhase.Relocating, Copied.Length: 0 })
        {
            var now = time.GetUtcNow();
            await WriteAsync((record with { Move = move with { Copied = evidence, Problem = "" } }).Remember(now, evidence));
            crash.Reached("move.copied", Id);
        }

        return _record!;
    }

    public async Task<VolumeRecord> ForgoCopyAsync(string moveId, string reason, CancellationToken cancellationToken)
    {
        var (record, move) = RequireMove(moveId);
        if (move is { Data: MoveData.Copy, Copied.Length: 0, Phase: not (MovePhase.Rehoming or MovePhase.Releasing) })
        {
            // What was copied in part is no fresh volume.
            var bare = WithoutTarget(record);
            await WriteAsync((bare with { Move = bare.Move! with { Data = MoveData.Fresh } })
                .Remember(time.GetUtcNow(), $"The data is left behind: {reason}"));
            await CleanUpAsync(cancellationToken);
        }

        return _record!;
    }
}
