using Carina.Kubernetes.PodFit.Cluster;
using k8s.Models;

namespace Carina.Kubernetes.PodFit.Matching;

/// <summary>What a pod requires of a node: its nodeSelector, and its required node affinity.</summary>
internal sealed class NodeDemand(V1PodSpec? spec)
{
    private readonly List<Requirement> _labels =
        [.. spec?.NodeSelector?.Select(l => Requirement.Of(l.Key, "In", [l.Value ?? ""])) ?? []];

    private readonly V1NodeSelector? _affinity =
        spec?.Affinity?.NodeAffinity?.RequiredDuringSchedulingIgnoredDuringExecution;

    public bool Matches(NodeView node) =>
        _labels.TrueForAll(l => l.Matches(node.Labels)) && (_affinity is null || NodeTerms.Match(_affinity, node));
}
