using Carina.Kubernetes.PodFit.Matching;
using k8s.Models;

namespace Carina.Kubernetes.PodFit.Cluster;

/// <summary>The pod to come, which is like the old one.</summary>
internal sealed class Replacement(V1Pod pod)
{
    public V1Pod Pod => pod;

    public string Namespace { get; } = ObjectParts.NamespaceOf(pod);

    public IReadOnlyDictionary<string, string> Labels { get; } = ObjectParts.LabelsOf(pod.Metadata);

    /// <summary>What it requires of a node's labels and name.</summary>
    public NodeDemand NodeDemand { get; } = new(pod.Spec);

    public TolerationSet Tolerations { get; } = new(pod.Spec?.Tolerations);

    /// <summary>Whether it is the pod that is to be replaced.</summary>
    public bool Replaces(V1Pod other) => pod.Metadata?.Uid is { Length: > 0 } uid
        ? other.Metadata?.Uid == uid
        : ObjectParts.NamespaceOf(other) == Namespace && other.Metadata?.Name == pod.Metadata?.Name;
}
