namespace Carina.Kubernetes.PodFit.Cluster;

/// <summary>All nodes with the pods that are there, without the pod that is replaced.</summary>
internal sealed class Landscape
{
    private readonly ClusterState _cluster;

    public Landscape(Replacement replacement, ClusterState cluster)
    {
        _cluster = cluster;
        var byName = new Dictionary<string, NodeView>(StringComparer.Ordinal);
        foreach (var node in cluster.Nodes.Items())
        {
            if (node.Metadata?.Name is { Length: > 0 } name)
            {
                byName.TryAdd(name, new(node, name));
            }
        }

        Nodes = [.. byName.Values];
        foreach (var pod in cluster.Pods.Items().Where(p => !ObjectParts.IsOver(p) && !replacement.Replaces(p)))
        {
            if (pod.Spec?.NodeName is { Length: > 0 } node)
            {
                // A pod of a node that is gone counts nowhere: kube-scheduler has forgotten it, too.
                byName.GetValueOrDefault(node)?.Pods.Add(pod);
            }
            else if (pod.Status?.NominatedNodeName is { Length: > 0 } nominated
                && (pod.Spec?.Priority ?? 0) >= (replacement.Pod.Spec?.Priority ?? 0))
            {
                byName.GetValueOrDefault(nominated)?.Nominated.Add(pod);
            }
        }
    }

    public IReadOnlyList<NodeView> Nodes { get; }

    public IReadOnlyDictionary<string, string> NamespaceLabels(string ns) =>
        _cluster.NamespaceLabels?.GetValueOrDefault(ns) ?? ObjectParts.NoLabels;
}
