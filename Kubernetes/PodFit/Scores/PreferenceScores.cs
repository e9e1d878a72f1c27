using Carina.Kubernetes.PodFit.Cluster;
using Carina.Kubernetes.PodFit.Matching;
using Carina.Kubernetes.PodFit.Rules;
using k8s.Models;

namespace Carina.Kubernetes.PodFit.Scores;

/// <summary>
/// How much preferences speak for nodes: those of kube-scheduler's scores that are about preferences, with its weights.
/// Malformed preferences say nothing.
/// </summary>
internal static class PreferenceScores
{
    private const int Full = 100;
    private const int TaintWeight = 3;
    private const int OtherWeight = 2;

    /// <summary>What a requirement of a pod that is there is worth, were it the other way round.</summary>
    private const int RequirementOfOther = 1;

    public static IReadOnlyDictionary<NodeView, int> Of(
        Replacement replacement, Landscape landscape, IReadOnlyList<NodeView> feasible)
    {
        var scores = feasible.ToDictionary(n => n, _ => 0);
        Add(scores, TaintWeight, Reverse(Share(feasible, n => replacement.Tolerations.CountDisliked(n))));
        Add(scores, OtherWeight, Share(feasible, n => OfNodeAffinity(replacement.Pod, n)));
        var near = CountNear(replacement, landscape);
        if (!near.IsEmpty)
        {
            Add(scores, OtherWeight, Range(feasible, near.Sum));
        }

        if (SpreadConstraint.Read(replacement, required: false) is { Count: > 0 } constraints)
        {
            Add(scores, OtherWeight, OfSpread(constraints, landscape, feasible));
        }

        return scores;
    }

    private static void Add(Dictionary<NodeView, int> scores, int weight, Dictionary<NodeView, int> more)
    {
        foreach (var (node, score) in more)
        {
            scores[node] += weight * score;
        }
    }

    private static long OfNodeAffinity(V1Pod pod, NodeView node) =>
        pod.Spec?.Affinity?.NodeAffinity?.PreferredDuringSchedulingIgnoredDuringExecution.Items()
            .Where(p => NodeTerms.Matches(p.Preference, node)).Sum(p => (long)p.Weight) ?? 0;

    private static TopologyCounts CountNear(Replacement replacement, Landscape landscape)
    {
        var affinity = replacement.Pod.Spec?.Affinity;
        var near = PodTerm.Read(replacement, affinity?.PodAffinity?.PreferredDuringSchedulingIgnoredDuringExecution) ?? [];
        var far = PodTerm.Read(replacement, affinity?.PodAntiAffinity?.PreferredDuringSchedulingIgnoredDuringExecution) ?? [];
        var counts = new TopologyCounts();
        foreach (var node in landscape.Nodes)
        {
            foreach (var pod in node.Pods)
            {
                near.Where(t => t.Matches(pod, landscape)).ToList().ForEach(t => counts.Add(t.TopologyKey, node, t.Weight));
                far.Where(t => t.Matches(pod, landscape)).ToList().ForEach(t => counts.Add(t.TopologyKey, node, -t.Weight));
                CountTheirs(replacement, landscape, node, pod, counts);
            }
        }

        return counts;
    }

    // Nearness goes both ways: what pods that are there want of the new one.
    private static void CountTheirs(
        Replacement replacement, Landscape landscape, NodeView node, V1Pod pod, TopologyCounts counts)
    {
        var near = pod.Spec?.Affinity?.PodAffinity;
        var far = pod.Spec?.Affinity?.PodAntiAffinity;
        Count(PodTerm.Read(pod, near?.RequiredDuringSchedulingIgnoredDuringExecution), _ => RequirementOfOther);
        Count(PodTerm.Read(pod, near?.PreferredDuringSchedulingIgnoredDuringExecution), t => t.Weight);
        Count(PodTerm.Read(pod, far?.PreferredDuringSchedulingIgnoredDuringExecution), t => -t.Weight);

        void Count(List<PodTerm>? terms, Func<PodTerm, int> weight)
        {
            foreach (var term in terms ?? [])
            {
                if (term.Matches(replacement.Namespace, replacement.Labels, landscape))
                {
                    counts.Add(term.TopologyKey, node, weight(term));
                }
            }
        }
    }

    private static Dictionary<NodeView, int> OfSpread(
        IReadOnlyList<SpreadConstraint> constraints, Landscape landscape, IReadOnlyList<NodeView> feasible)
    {
        // Nodes that lack a label are the last ones, whatever is there.
        var counted = feasible.Where(n => constraints.All(c => n.Labels.ContainsKey(c.TopologyKey))).ToList();
        var crowd = counted.ToDictionary(n => n, _ => 0L);
        foreach (var constraint in constraints)
        {
            var domains = constraint.Count(constraints, landscape);
            var size = counted.Select(n => n.Labels[constraint.TopologyKey]).Distinct(StringComparer.Ordinal).Count();
            foreach (var node in counted)
            {
                // A pod more weighs more where there are many domains to go to.
                var count = domains.GetValueOrDefault(node.Labels[constraint.TopologyKey] ?? "");
                crowd[node] += (long)Math.Round(1000 * count * Math.Log(size + 2));
            }
        }

        var (least, most) = counted.Count == 0 ? (0, 0) : (crowd.Values.Min(), crowd.Values.Max());
        return counted.ToDictionary(
            n => n, n => most == 0 ? Full : (int)((Int128)Full * (most + least - crowd[n]) / most));
    }

    /// <summary>Of the most that any has.</summary>
    private static Dictionary<NodeView, int> Share(IReadOnlyList<NodeView> nodes, Func<NodeView, long> value)
    {
        var values = nodes.ToDictionary(n => n, n => Math.Max(0, value(n)));
        var most = values.Values.DefaultIfEmpty().Max();
        return values.ToDictionary(v => v.Key, v => most == 0 ? 0 : (int)((Int128)Full * v.Value / most));
    }

    /// <summary>Between the least and the most that any has.</summary>
    private static Dictionary<NodeView, int> Range(IReadOnlyList<NodeView> nodes, Func<NodeView, long> value)
    {
        var values = nodes.ToDictionary(n => n, value);
        var (least, most) = values.Count == 0 ? (0, 0) : (values.Values.Min(), values.Values.Max());
        return values.ToDictionary(
            v => v.Key, v => most == least ? 0 : (int)((Int128)Full * (v.Value - least) / (most - least)));
    }

    private static Dictionary<NodeView, int> Reverse(Dictionary<NodeView, int> scores) =>
        scores.ToDictionary(s => s.Key, s => Full - s.Value);
}
