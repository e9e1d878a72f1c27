using Carina.Kubernetes.PodFit.Cluster;
using Carina.Kubernetes.PodFit.Matching;

namespace Carina.Kubernetes.PodFit.Rules;

/// <summary>The node takes new pods, and lives.</summary>
internal sealed class NodeStateRule(Replacement replacement, IReadOnlySet<string> excluded) : INodeRule
{
    private const string UnschedulableTaint = "node.kubernetes.io/unschedulable";

    // Who tolerates the taint may come, whoever set the field: so a DaemonSet's pods come to cordoned nodes.
    private readonly bool _toleratesCordon =
        replacement.Tolerations.Tolerates(UnschedulableTaint, "", TolerationSet.NoSchedule);

    public string ObstacleOn(NodeView node)
    {
        if (excluded.Contains(node.Name))
        {
            return "was excluded";
        }

        if (node.Node.Metadata?.DeletionTimestamp is not null)
        {
            return "was being deleted";
        }

        if (node.Node.Spec?.Unschedulable == true && !_toleratesCordon)
        {
            return "was unschedulable";
        }

        // kube-scheduler goes by taints, which follow some seconds later, and may be tolerated.
        var ready = node.Node.Status?.Conditions.Items().FirstOrDefault(c => c.Type == "Ready");
        return ready?.Status == "True" ? "" : $"was not ready ({ready?.Reason ?? "it never said so"})";
    }
}
