using k8s.Models;

namespace Carina.Kubernetes.PodFit.Cluster;

/// <summary>A node and who is there.</summary>
internal sealed class NodeView(V1Node node, string name)
{
    public V1Node Node => node;

    public string Name => name;

    public IReadOnlyDictionary<string, string> Labels { get; } = ObjectParts.LabelsOf(node.Metadata);

    /// <summary>Pods that are bound to it and not over; those that are being deleted are still there.</summary>
    public List<V1Pod> Pods { get; } = [];

    /// <summary>Pods that kube-scheduler has made room for here and that come no later than the replacement.</summary>
    public List<V1Pod> Nominated { get; } = [];
}
