using Carina.Grains.Tests.Failover.Simulation.Engine;

namespace Carina.Grains.Tests.Failover.Simulation.Cluster;

/// <summary>
/// Kubernetes' own controllers, which never fail here: nodes that are silent get not ready, StatefulSets make a pod again
/// when the old one's object is gone, pods go where their volumes are.
/// </summary>
internal sealed class SimControlPlane(SimCluster cluster)
{
    private static readonly TimeSpan _grace = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan _eviction = TimeSpan.FromSeconds(300);
    private static readonly TimeSpan _orphanGrace = TimeSpan.FromSeconds(60);

    private readonly Dictionary<string, TimeSpan> _orphanSince = [];

    private SimApi Api => cluster.Api;

    private Simulator Simulator => cluster.Simulator;

    public void Start()
    {
        Simulator.Every(TimeSpan.FromSeconds(5), JudgeNodes);
        Simulator.Every(TimeSpan.FromSeconds(1), MakePods);
    }

    private void JudgeNodes()
    {
        // An API server that is down hears no heartbeats, and its controllers do not work either.
        if (cluster.Network.IsApiDown)
        {
            foreach (var node in Api.Nodes.Values)
            {
                node.LastHeartbeat += TimeSpan.FromSeconds(5);
            }

            return;
        }

        foreach (var node in Api.Nodes.Values.Where(n => n.IsReady && Simulator.Now - n.LastHeartbeat > _grace))
        {
            Simulator.Log($"{node.Name} is not ready");
            (node.IsReady, node.NotReadySince) = (false, Simulator.Now);
        }

        foreach (var pod in Api.Pods.Values.Where(p => p.NodeName.Length > 0).ToList())
        {
            if (Api.Nodes.TryGetValue(pod.NodeName, out var node))
            {
                _orphanSince.Remove(pod.Uid);
                if (!node.IsReady && Simulator.Now - node.NotReadySince > _eviction)
                {
                    Api.DeletePod(pod.Name, pod.Uid, force: false);
                }
            }
            else if (_orphanSince.TryAdd(pod.Uid, Simulator.Now) || Simulator.Now - _orphanSince[pod.Uid] < _orphanGrace)
            {
                // The collector of pods waits before it believes that a node is gone.
            }
            else
            {
                Api.DeletePod(pod.Name, pod.Uid, force: true);
            }
        }
    }

    private void MakePods()
    {
        foreach (var app in cluster.Apps)
        {
            if (!Api.Pods.TryGetValue(app.Name, out var pod))
            {
                Api.Pods.Add(app.Name, pod = new(app, Api.NextUid(), Simulator.Now));
                Simulator.Log($"pod {app.Name} ({pod.Uid}) is made");
            }

            if (pod.NodeName.Length == 0 && FindNode(app) is { } node)
            {
                Simulator.Log($"pod {app.Name} ({pod.Uid}) goes to {node}");
                pod.NodeName = node;
            }
        }
    }

    /// <summary>Where all its volumes are; null while there is no such node that takes pods.</summary>
    private string? FindNode(SimApp app)
    {
        var nodes = app.Claims
            .Select(c => Api.PersistentVolumes.GetValueOrDefault(Api.Claims[c].VolumeName)?.NodeName)
            .Distinct(StringComparer.Ordinal)
            .ToList();
        return nodes is [{ } only] && Api.Nodes.TryGetValue(only, out var node) && node is { IsReady: true, IsCordoned: false, IsOutOfService: false }
            ? only
            : null;
    }
}
