using Carina.Kubernetes.PodFit.Cluster;
using Carina.Kubernetes.PodFit.Rules;
using Carina.Kubernetes.PodFit.Scores;
using k8s.Models;

namespace Carina.Kubernetes.PodFit;

/// <summary>
/// Says where kube-scheduler would let a copy of a pod run, before there is one: a volume must be moved to a node first,
/// and only then may the pod that uses it be made again. The rules are those of kube-scheduler's default filters;
/// on top of them nothing is moved to a node that is not Ready, or goes away.
/// </summary>
public static class PodFit
{
    /// <summary>Judges every node, in the order of <paramref name="cluster"/>.</summary>
    /// <param name="pod">The pod to be replaced. Where it runs does not matter, and what it uses there is free.</param>
    /// <param name="cluster">All nodes and pods.</param>
    /// <param name="volumeAffinities">Node affinities of its other volumes; all must match.</param>
    /// <param name="excludedNodes">Nodes that it must not go to, whatever the rules say.</param>
    /// <returns>An answer for each node; no object, however malformed, makes it throw.</returns>
    public static IReadOnlyList<NodeFit> Evaluate(
        V1Pod pod,
        ClusterState cluster,
        IReadOnlyList<V1NodeSelector> volumeAffinities,
        IReadOnlySet<string> excludedNodes)
    {
        ArgumentNullException.ThrowIfNull(pod);
        ArgumentNullException.ThrowIfNull(cluster);
        ArgumentNullException.ThrowIfNull(volumeAffinities);
        ArgumentNullException.ThrowIfNull(excludedNodes);
        var replacement = new Replacement(pod);
        var landscape = new Landscape(replacement, cluster);

        // The order is kube-scheduler's: operators read the same first reason there.
        IReadOnlyList<INodeRule> rules =
        [
            new NodeStateRule(replacement, excludedNodes),
            new TaintRule(replacement),
            new NodeAffinityRule(replacement),
            new PortRule(replacement),
            new ResourceRule(replacement),
            new VolumeRule(volumeAffinities),
            new SpreadRule(replacement, landscape),
            new PodAffinityRule(replacement, landscape),
        ];
        var obstacles = landscape.Nodes.Select(n => FirstObstacle(rules, n)).ToList();
        var feasible = landscape.Nodes.Where((_, i) => obstacles[i].Length == 0).ToList();
        var scores = PreferenceScores.Of(replacement, landscape, feasible);
        return [.. landscape.Nodes.Select((n, i) => new NodeFit(n.Name, obstacles[i], scores.GetValueOrDefault(n)))];
    }

    private static string FirstObstacle(IReadOnlyList<INodeRule> rules, NodeView node)
    {
        foreach (var rule in rules)
        {
            if (rule.ObstacleOn(node) is { Length: > 0 } obstacle)
            {
                return $"node {node.Name} {obstacle}";
            }
        }

        return "";
    }
}
