using Carina.Kubernetes.PodFit.Cluster;
using k8s.Models;

namespace Carina.Kubernetes.PodFit.Matching;

/// <summary>Which pods a pod wants near, or far.</summary>
/// <param name="TopologyKey">The label that says what near is.</param>
/// <param name="Weight">How much it wants it, where it is a preference.</param>
internal sealed record PodTerm(
    IReadOnlyList<string> Namespaces, LabelQuery NamespaceQuery, LabelQuery Query, string TopologyKey, int Weight)
{
    public bool Matches(string ns, IReadOnlyDictionary<string, string> labels, Landscape landscape) =>
        (Namespaces.Contains(ns) || NamespaceQuery.Matches(landscape.NamespaceLabels(ns))) && Query.Matches(labels);

    public bool Matches(V1Pod pod, Landscape landscape) =>
        Matches(ObjectParts.NamespaceOf(pod), ObjectParts.LabelsOf(pod.Metadata), landscape);

    /// <summary>Reads the terms of a pod that is there.</summary>
    /// <returns>Null when one is malformed. kube-scheduler takes a pod that is there as having none then.</returns>
    public static List<PodTerm>? Read(V1Pod owner, IList<V1PodAffinityTerm>? terms) =>
        Complete([.. terms.Items().Select(t => Of(owner, t, 0, null))]);

    /// <summary>Reads the preferences of a pod that is there; null when one is malformed.</summary>
    public static List<PodTerm>? Read(V1Pod owner, IList<V1WeightedPodAffinityTerm>? terms) =>
        Complete([.. terms.Items().Select(t => Of(owner, t.PodAffinityTerm, t.Weight, null))]);

    /// <summary>
    /// Reads the terms of a pod that is to be made: the API server adds to the selector then what
    /// <c>matchLabelKeys</c> and <c>mismatchLabelKeys</c> say, and nobody does later.
    /// </summary>
    public static List<PodTerm>? Read(Replacement owner, IList<V1PodAffinityTerm>? terms) =>
        Complete([.. terms.Items().Select(t => Of(owner.Pod, t, 0, owner.Labels))]);

    /// <summary>Reads the preferences of a pod that is to be made.</summary>
    public static List<PodTerm>? Read(Replacement owner, IList<V1WeightedPodAffinityTerm>? terms) =>
        Complete([.. terms.Items().Select(t => Of(owner.Pod, t.PodAffinityTerm, t.Weight, owner.Labels))]);

    /// <summary>Conditions that a pod's own labels make of keys.</summary>
    public static IEnumerable<Requirement> OfKeys(
        IList<string>? keys, string @operator, IReadOnlyDictionary<string, string> labels) =>
        keys.Items().Where(labels.ContainsKey).Select(k => Requirement.Of(k, @operator, [labels[k] ?? ""]));

    private static List<PodTerm>? Complete(List<PodTerm?> terms) => terms.Contains(null) ? null : [.. terms.Items()];

    private static PodTerm? Of(
        V1Pod owner, V1PodAffinityTerm? term, int weight, IReadOnlyDictionary<string, string>? ownLabels)
    {
        if (LabelQuery.Of(term?.LabelSelector) is not { } query
            || LabelQuery.Of(term?.NamespaceSelector) is not { } namespaces)
        {
            return null;
        }

        if (ownLabels is not null)
        {
            query = query.And(OfKeys(term?.MatchLabelKeys, "In", ownLabels))
                .And(OfKeys(term?.MismatchLabelKeys, "NotIn", ownLabels));
        }

        IReadOnlyList<string> names = term?.Namespaces is not { Count: > 0 } && term?.NamespaceSelector is null
            ? [ObjectParts.NamespaceOf(owner)]
            : [.. term.Namespaces.Items()];
        return new(names, namespaces, query, term?.TopologyKey ?? "", weight);
    }
}
