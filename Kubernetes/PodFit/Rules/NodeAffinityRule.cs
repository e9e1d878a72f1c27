using Carina.Kubernetes.PodFit.Cluster;

namespace Carina.Kubernetes.PodFit.Rules;

/// <summary>The node is one that the pod asks for.</summary>
internal sealed class NodeAffinityRule(Replacement replacement) : INodeRule
{
    public string ObstacleOn(NodeView node) =>
        replacement.NodeDemand.Matches(node) ? "" : "didn't match Pod's node affinity/selector";
}
