using System.Collections.ObjectModel;
using Carina.Kubernetes.PodFit.Cluster;
using Carina.Kubernetes.PodFit.Matching;
using k8s.Models;

namespace Carina.Kubernetes.PodFit.Rules;

/// <summary>A topology spread constraint of the pod.</summary>
internal sealed class SpreadConstraint
{
    private const string Honor = "Honor";
    private readonly Replacement _replacement;
    private readonly LabelQuery _query;
    private readonly bool _honorsAffinity;
    private readonly bool _honorsTaints;

    private SpreadConstraint(Replacement replacement, V1TopologySpreadConstraint constraint, LabelQuery query)
    {
        _replacement = replacement;
        _query = query.And(PodTerm.OfKeys(constraint.MatchLabelKeys, "In", replacement.Labels));
        _honorsAffinity = (constraint.NodeAffinityPolicy ?? Honor) == Honor;
        _honorsTaints = constraint.NodeTaintsPolicy == Honor;
        (TopologyKey, MaxSkew, MinDomains) = (constraint.TopologyKey ?? "", constraint.MaxSkew, constraint.MinDomains ?? 1);
    }

    public string TopologyKey { get; }

    public int MaxSkew { get; }

    public int MinDomains { get; }

    /// <summary>Whether the pod itself is one of those that are to be spread.</summary>
    public bool CountsReplacement => _query.Matches(_replacement.Labels);

    /// <summary>Reads the constraints that must be met, or those that should be; null when one is malformed.</summary>
    public static IReadOnlyList<SpreadConstraint>? Read(Replacement replacement, bool required)
    {
        var constraints = new List<SpreadConstraint>();
        foreach (var constraint in replacement.Pod.Spec?.TopologySpreadConstraints.Items() ?? [])
        {
            if ((constraint.WhenUnsatisfiable != "ScheduleAnyway") != required)
            {
                continue;
            }

            if (LabelQuery.Of(constraint.LabelSelector) is not { } query)
            {
                return null;
            }

            constraints.Add(new(replacement, constraint, query));
        }

        return constraints;
    }

    /// <summary>
    /// Pods to be spread in every domain, over the nodes that count. Old schedulers (1.20) count the other nodes of these
    /// domains as well; the answer is that of today's.
    /// </summary>
    /// <param name="all">All constraints of the kind: nodes that lack a label of any of them do not count.</param>
    public ReadOnlyDictionary<string, int> Count(IReadOnlyList<SpreadConstraint> all, Landscape landscape)
    {
        var domains = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var node in landscape.Nodes.Where(n => all.All(c => n.Labels.ContainsKey(c.TopologyKey)) && Includes(n)))
        {
            var domain = node.Labels[TopologyKey] ?? "";
            domains[domain] = domains.GetValueOrDefault(domain) + CountOn(node);
        }

        return domains.AsReadOnly();
    }

    /// <summary>Pods to be spread on a node. Those that go away leave room already.</summary>
    public int CountOn(NodeView node) => _query.MatchesEverything
        ? 0
        : node.Pods.Count(p =>
            p.Metadata?.DeletionTimestamp is null
            && ObjectParts.NamespaceOf(p) == _replacement.Namespace
            && _query.Matches(ObjectParts.LabelsOf(p.Metadata)));

    private bool Includes(NodeView node) =>
        (!_honorsAffinity || _replacement.NodeDemand.Matches(node))
        && (!_honorsTaints || _replacement.Tolerations.TolerateAll(node));
}
