using Carina.Kubernetes.PodFit.Cluster;

namespace Carina.Kubernetes.PodFit.Rules;

/// <summary>The pod tolerates the node's taints.</summary>
internal sealed class TaintRule(Replacement replacement) : INodeRule
{
    public string ObstacleOn(NodeView node) => replacement.Tolerations.FirstUntolerated(node) is { } taint
        ? $"had untolerated taint {{{taint.Key}{(string.IsNullOrEmpty(taint.Value) ? "" : "=" + taint.Value)}:{taint.Effect}}}"
        : "";
}
