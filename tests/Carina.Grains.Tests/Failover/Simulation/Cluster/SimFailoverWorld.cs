using Carina.Grains.Errors;
using Carina.Grains.Failover;
using Carina.Grains.Volumes;

namespace Carina.Grains.Tests.Failover.Simulation.Cluster;

/// <summary>The rules of KubernetesFailoverWorld and PersistentVolumeHoming (Silo/Failover) over the simulated API server.</summary>
internal sealed partial class SimFailoverWorld(SimCluster cluster, SimSilo silo, SimLeaseObserver leases) : IFailoverWorld
{
    private const int MaxAttempts = 5;

    private SimApi Api => cluster.Api;

    public async Task<IReadOnlyList<ObservedNode>> ObserveAsync(CancellationToken cancellationToken)
    {
        var looking = leases.LookAsync(cancellationToken);
        var nodes = await AskAsync(
            () => Api.Nodes.Values.Select(n => (n.Name, n.IsReady, n.IsCordoned, n.IsOutOfService, n.IsEvacuated)).ToList(), cancellationToken);
        var held = await looking;
        var live = silo.LiveNodes;
        return
        [
            .. nodes.Select(n => new ObservedNode
            {
                Name = n.Name,
                Ready = n.IsReady,
                InMaintenance = n.IsCordoned,
                OutOfService = n.IsOutOfService,
                Evacuate = n.IsEvacuated,
                SiloLive = live.Contains(n.Name),
                Lease = held.GetValueOrDefault(n.Name),
            }),
            .. held.Where(h => !nodes.Any(n => n.Name == h.Key)).Select(h => new ObservedNode
            {
                Name = h.Key,
                Exists = false,
                Ready = false,
                SiloLive = live.Contains(h.Key),
                Lease = h.Value,
            }),
        ];
    }

    public Task<IReadOnlyList<VolumeGroup>> FindGroupsAsync(
        string node, IReadOnlyList<VolumeRecord> volumes, CancellationToken cancellationToken) => AskAsync(
            () =>
            {
                var usages = new List<(VolumeRecord Volume, List<SimPod> Pods)>();
                foreach (var volume in volumes)
                {
                    var found = Api.PersistentVolumes.GetValueOrDefault(volume.Name);
                    var claim = found?.ClaimName ?? (volume.Move?.Manifest is { Length: > 0 } manifest ? Parse(manifest).ClaimName : null);
                    if (claim is not null)
                    {
                        usages.Add((volume, [.. Api.Pods.Values.Where(p => (p.NodeName == node || p.NodeName.Length == 0) && p.App.Claims.Contains(claim))]));
                    }
                }

                return Join(usages);
            },
            cancellationToken);

    public Task<IReadOnlyList<PodPlace>> FindPlacesAsync(VolumeGroup group, CancellationToken cancellationToken)
    {
        var live = silo.LiveNodes;
        return AskAsync(
            IReadOnlyList<PodPlace> () =>
            [
                .. Api.Nodes.Values
                    .Select(n => new PodPlace(n.Name, IsOpen(n) ? "" : "it takes no pods, or is to be left", 0)),
            ],
            cancellationToken);

        bool IsOpen(SimNode node) => node is { IsReady: true, IsCordoned: false, IsOutOfService: false, IsEvacuated: false }
            && live.Contains(node.Name)
            && !group.Volumes.Any(v => (v.Move?.From.NodeName ?? v.NodeName) == node.Name);
    }

    public async Task<string> RehomeAsync(VolumeRecord volume, Func<string, Task> remember, CancellationToken cancellationToken)
    {
        var manifest = volume.Move?.Manifest ?? "";
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var found = await AskAsync(() => Api.PersistentVolumes.GetValueOrDefault(volume.Name), cancellationToken);
            if (found is null && manifest.Length == 0)
            {
                return "There is none.";
            }

            var wanted = (found ?? Parse(manifest)) with { NodeName = volume.NodeName };
            if (found?.NodeName == volume.NodeName)
            {
                return "It is bound.";
            }

            manifest = $"{wanted.Name},{wanted.VolumeId},{wanted.ClaimName},{wanted.ClaimUid}";
            await remember(manifest);
            if (found is not null && !await AskAsync(() => Delete(found), cancellationToken))
            {
                continue;
            }

            if (await AskAsync(() => Create(wanted), cancellationToken))
            {
                return "It is bound.";
            }
        }

        throw new StorageException(StorageErrorCode.Unavailable, "It was changed by others all the time.");
    }

    public async Task<int> ReleaseAsync(IReadOnlyList<VolumePod> pods, bool force, CancellationToken cancellationToken)
    {
        var released = 0;
        foreach (var pod in pods)
        {
            released += await AskAsync(
                () =>
                {
                    if (Api.Pods.TryGetValue(pod.Name, out var found) && (found.Uid == pod.Uid || cluster.Mutation == SimMutation.ReleasesByName))
                    {
                        Api.Releasing(found, force);
                        return Api.DeletePod(found.Name, found.Uid, force) ? 1 : 0;
                    }

                    return 0;
                },
                cancellationToken);
        }

        return released;
    }

    public void Tell(FailoverNotice notice)
    {
        cluster.Notices.Add(notice);
        cluster.Simulator.Log($"{silo.Process.Name} tells {notice.Reason} of {string.Join('+', notice.Volumes.Select(v => v.VolumeId))}");
        cluster.Simulator.Note(notice.Message);
    }

    private Task<T> AskAsync<T>(Func<T> effect, CancellationToken cancellationToken) =>
        cluster.Network.AskApiAsync(silo.Process, effect, cancellationToken);

    private static SimPersistentVolume Parse(string manifest) =>
        manifest.Split(',') is [var name, var id, var claim, var uid] ? new(name, id, "", claim, uid, "") : throw new FormatException(manifest);

    private bool Delete(SimPersistentVolume found)
    {
        if (Api.PersistentVolumes.GetValueOrDefault(found.Name)?.Version != found.Version)
        {
            return false;
        }

        Api.PersistentVolumes.Remove(found.Name);
        return true;
    }

    private bool Create(SimPersistentVolume wanted)
    {
        if (!Api.PersistentVolumes.TryAdd(wanted.Name, wanted with { Version = Api.NextUid() }))
        {
            return false;
        }

        cluster.Simulator.Log($"volume {wanted.Name} is bound to {wanted.NodeName}");
        return true;
    }

    private IReadOnlyList<VolumeGroup> Join(List<(VolumeRecord Volume, List<SimPod> Pods)> usages)
    {
        var groups = new List<List<(VolumeRecord Volume, List<SimPod> Pods)>>();
        foreach (var usage in usages)
        {
            var related = groups.Where(g => g.Any(u => u.Pods.Intersect(usage.Pods).Any()
                || (u.Volume.Move is { } move && move.Id == usage.Volume.Move?.Id))).ToList();
            groups.RemoveAll(related.Contains);
            groups.Add([.. related.SelectMany(g => g), usage]);
        }

        return
        [
            .. groups.Select(g =>
            {
                var pods = g.SelectMany(u => u.Pods).Distinct().ToList();
                return new VolumeGroup
                {
                    Volumes = [.. g.Select(u => u.Volume).OrderBy(v => v.VolumeId, StringComparer.Ordinal)],
                    Pods = [.. pods.Select(p => new VolumePod("default", p.Name, p.Uid, p.NodeName, p.App.OptedIn, p.HasRun))],
                    Data = pods.Select(p => p.App.Data).DefaultIfEmpty().Max(),
                    OptedIn = cluster.Mutation == SimMutation.EverybodyOptsIn || (pods.Count > 0 && pods.All(p => p.App.OptedIn)),
                };
            }),
        ];
    }
}
