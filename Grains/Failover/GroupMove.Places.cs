using Carina.Grains.Errors;
using Carina.Grains.Volumes;

namespace Carina.Grains.Failover;

// Finding a node for all volumes of a group at once.
internal sealed partial class GroupMove
{
    private const int MaxRefusals = 10;

    /// <summary>Places, makes and commits all volumes on one node, or none on any.</summary>
    private async Task<IReadOnlyList<VolumeRecord>> RelocateAsync(
        VolumeGroup group, IReadOnlyList<VolumeRecord> records, string moveId, CancellationToken cancellationToken)
    {
        using var activity = StartSpan("failover.relocate", moveId, group);
        var made = await MakeAsync(group, records, cancellationToken);
        return await CommitAsync(await CopyExactlyAsync(group, made, moveId, cancellationToken), cancellationToken);
    }

    /// <summary>Finds a node for all volumes that move, and has them made there.</summary>
    private async Task<IReadOnlyList<VolumeRecord>> MakeAsync(
        VolumeGroup group, IReadOnlyList<VolumeRecord> records, CancellationToken cancellationToken)
    {
        var moving = records.Where(r => r.Move is not null).ToList();
        var places = await world.FindPlacesAsync(group, cancellationToken);
        if (moving.Select(r => r.Move!.To).FirstOrDefault(to => to.Length > 0) is { } wanted)
        {
            places = [.. places.Select(p => Narrow(p, wanted, moving))];
        }

        // A copy that is restored has its room already.
        var (nodes, refusals) = await volumes.RankAsync([.. moving.Where(r => r.Move!.Restores is null)], places, cancellationToken);
        var reasons = refusals.ToList();
        foreach (var node in PreferPlaced(nodes, moving))
        {
            try
            {
                foreach (var record in moving)
                {
                    RequireAt(node, await volumes.Get(record.VolumeId).PlaceMoveAsync(record.Move!.Id, node, cancellationToken));
                }

                var made = new Dictionary<string, VolumeRecord>(StringComparer.Ordinal);
                foreach (var record in moving)
                {
                    var found = await volumes.Get(record.VolumeId).MakeMoveAsync(record.Move!.Id, cancellationToken);
                    RequireAt(node, found);
                    made[record.VolumeId] = found;
                }

                return [.. records.Select(r => made.GetValueOrDefault(r.VolumeId, r))];
            }
            catch (StorageException exception) when (exception.Code == StorageErrorCode.ResourceExhausted)
            {
                reasons.Add(exception.Message);
                foreach (var record in moving)
                {
                    await volumes.Get(record.VolumeId).UnplaceMoveAsync(record.Move!.Id, cancellationToken);
                }
            }
        }

        throw new StorageException(
            StorageErrorCode.ResourceExhausted,
            $"No node can take pod {group.Pods.Select(p => p.Name).FirstOrDefault() ?? "(none)"} with its volumes "
            + $"({string.Join(", ", moving.Select(m => $"{m.Parameters.GetValueOrDefault(CarinaNames.ClaimName, m.VolumeId)}: {m.Bytes} bytes"))}): "
            + string.Join("; ", reasons.Take(MaxRefusals)) + ". The move goes on when one can.");
    }

    // The node that it comes from is no place to go to, except for a copy that is restored right there.
    private static PodPlace Narrow(PodPlace place, string wanted, List<VolumeRecord> moving) =>
        place.NodeName != wanted ? place with { Obstacle = $"node {wanted} was asked for" }
        : moving.All(r => r.Move is { Restores: not null } move && move.From.NodeName == wanted) ? place with { Obstacle = "" }
        : place;

    // Two coordinators that prefer different nodes must not get half of the group each. Both begin with the same volume:
    // who finds it elsewhere does not touch the others.
    private static void RequireAt(string node, VolumeRecord record)
    {
        var at = record.Move is { Phase: MovePhase.Relocating or MovePhase.Preparing or MovePhase.Fencing } move ? move.Target?.NodeName : record.NodeName;
        if (at != node)
        {
            throw new StorageException(
                StorageErrorCode.Aborted, $"Volume '{record.VolumeId}' was placed on node '{at}' at the same time, not on node '{node}'.");
        }
    }

    private async Task<IReadOnlyList<VolumeRecord>> CommitAsync(
        IReadOnlyList<VolumeRecord> records, CancellationToken cancellationToken)
    {
        var committed = new List<VolumeRecord>();
        foreach (var record in records)
        {
            if (record.Move is null)
            {
                committed.Add(record);
                continue;
            }

            committed.Add(await volumes.Get(record.VolumeId).CommitMoveAsync(record.Move.Id, cancellationToken));
            if (record.Move.Phase == MovePhase.Relocating)
            {
                FailoverMetrics.Phase("relocate", time.GetUtcNow() - record.Move.PhaseSince);
            }
        }

        return committed;
    }

    // A place that an earlier attempt reserved first: there the volumes may be made already.
    private static IEnumerable<string> PreferPlaced(IReadOnlyList<string> nodes, List<VolumeRecord> moving)
    {
        var placed = moving.Select(r => r.Move!.Target?.NodeName).FirstOrDefault(n => n is not null);
        return nodes.OrderBy(n => n == placed ? 0 : 1);
    }
}
