using Carina.Grains.Agents;
using Carina.Grains.Configuration;
using Carina.Grains.Placement;
using Carina.Grains.Placement.Pods;
using Carina.Grains.Storage;
using Carina.Grains.Volumes;

namespace Carina.Grains.Failover;

/// <summary><see cref="IVolumeMoves"/> by the volumes' grains and their store.</summary>
internal sealed class GrainVolumeMoves(
    IGrainFactory grains,
    IRecordStore<VolumeRecord> store,
    INodeExecutor executor,
    ICarinaConfigSource config,
    TimeProvider time) : IVolumeMoves
{
    /// <summary>Longest wait for a node's agent to cut a volume off: its kernel does that at once or not at all.</summary>
    private static readonly TimeSpan _fenceLimit = TimeSpan.FromSeconds(8);

    public async Task<IReadOnlyList<VolumeRecord>> ListAsync(string node, CancellationToken cancellationToken) =>
    [
        .. (await store.ListAsync(null, 0, cancellationToken)).Select(s => s.Value)
            .Where(v => v.State == VolumeState.Ready)
            .Where(v => v.Move is { } move ? move.From.NodeName == node : v.NodeName == node),
    ];

    public async Task<IReadOnlyList<VolumeRecord>> ListUnsettledAsync(CancellationToken cancellationToken) =>
    [
        .. (await store.ListAsync(null, 0, cancellationToken)).Select(s => s.Value)
            .Where(v => v.Move is not null || v.Retired.Count > 0 || v.Abandoned.Count > 0),
    ];

    public IVolumeGrain Get(string volumeId) => grains.GetGrain<IVolumeGrain>(volumeId);

    public async Task FenceAsync(string node, DiskVolumeKey key, string reason, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(_fenceLimit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var fencing = executor.FenceAsync(node, key, reason, either.Token);
        try
        {
            // A silo that is just dying does not hear of the cancellation either.
            await fencing.WaitAsync(either.Token);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            fencing.Ignore();
            throw new Errors.StorageException(
                Errors.StorageErrorCode.Unavailable,
                $"node '{node}' did not answer within {_fenceLimit.TotalSeconds:0} s when it was asked to stop writing to volume '{key.VolumeId}'",
                exception);
        }
    }

    public Task<CopyProgress> CopyAsync(string node, CopyOrder order, CancellationToken cancellationToken) =>
        executor.CopyAsync(node, order, cancellationToken);

    public async Task<(IReadOnlyList<string> Nodes, IReadOnlyList<string> Refusals)> RankAsync(
        IReadOnlyList<VolumeRecord> volumes, IReadOnlyList<PodPlace> places, CancellationToken cancellationToken)
    {
        var refusals = places.Where(p => p.Obstacle.Length > 0).Select(p => $"node {p.NodeName}: {p.Obstacle}").ToList();
        var open = places.Where(p => p.Obstacle.Length == 0).ToList();

        // What is placed already is promised there, and must not be asked for twice.
        var awaited = volumes.Where(v => v.Move?.Target is not null)
            .GroupBy(v => v.Move!.Target!.NodeName, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.Select(v => v.VolumeId).ToList(), StringComparer.Ordinal);
        var capacities = await grains.GetGrain<IPlacementGrain>(0)
            .GetNodesAsync(awaited, TimeSpan.FromSeconds(3), cancellationToken);
        var demand = new PodDemand { Claims = [.. volumes.Select(ToDemand)] };
        var plans = PodPlanner.Plan(demand, [.. open.Select(p => p.NodeName)], capacities, [], config.Current.Strategy);
        refusals.AddRange(plans.Where(p => !p.Fits).Select(p => $"node {p.NodeName}: {p.Obstacle!.Reason}"));
        var preference = open.ToDictionary(p => p.NodeName, p => p.Preference, StringComparer.Ordinal);
        return (
            [
                .. plans.Where(p => p.Fits)
                    .OrderByDescending(p => preference[p.NodeName])
                    .ThenByDescending(p => p.Suitability)
                    .ThenBy(p => p.NodeName, StringComparer.Ordinal)
                    .Select(p => p.NodeName),
            ],
            refusals);
    }

    private static ClaimDemand ToDemand(VolumeRecord volume) => new()
    {
        Claim = volume.Parameters.GetValueOrDefault(CarinaNames.ClaimName, volume.VolumeId),
        Parts = [new(volume.Parameters.GetValueOrDefault(CarinaNames.DiskGroup, volume.Pool), volume.Bytes)],
        PromisedAt = volume.Move?.Target?.NodeName ?? "",
    };
}
