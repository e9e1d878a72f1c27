using Carina.Kubernetes.PodFit.Cluster;

namespace Carina.Kubernetes.PodFit.Rules;

/// <summary>One of the reasons for which a pod cannot run on a node.</summary>
internal interface INodeRule
{
    /// <summary>The end of a sentence that begins with the node's name; empty when there is no reason.</summary>
    string ObstacleOn(NodeView node);
}
