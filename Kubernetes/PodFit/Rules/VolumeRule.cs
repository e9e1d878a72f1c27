using Carina.Kubernetes.PodFit.Cluster;
using Carina.Kubernetes.PodFit.Matching;
using k8s.Models;

namespace Carina.Kubernetes.PodFit.Rules;

/// <summary>The pod's other volumes can be used on the node.</summary>
internal sealed class VolumeRule(IReadOnlyList<V1NodeSelector> affinities) : INodeRule
{
    public string ObstacleOn(NodeView node) =>
        affinities.Items().All(a => NodeTerms.Match(a, node)) ? "" : "had volume node affinity conflict";
}
