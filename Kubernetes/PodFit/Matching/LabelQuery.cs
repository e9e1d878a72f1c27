using Carina.Kubernetes.PodFit.Cluster;
using k8s.Models;

namespace Carina.Kubernetes.PodFit.Matching;

/// <summary>A label selector that could be read.</summary>
internal sealed class LabelQuery
{
    private static readonly LabelQuery _nothing = new([], matchesNothing: true);
    private readonly IReadOnlyList<Requirement> _requirements;
    private readonly bool _matchesNothing;

    private LabelQuery(IReadOnlyList<Requirement> requirements, bool matchesNothing) =>
        (_requirements, _matchesNothing) = (requirements, matchesNothing);

    /// <summary>Whether it asks for nothing at all.</summary>
    public bool MatchesEverything => !_matchesNothing && _requirements.Count == 0;

    /// <summary>Reads a selector: none matches nothing, an empty one everything. Null when it is malformed.</summary>
    public static LabelQuery? Of(V1LabelSelector? selector)
    {
        if (selector is null)
        {
            return _nothing;
        }

        var labels = selector.MatchLabels?.Select(l => Requirement.Of(l.Key, "In", [l.Value ?? ""])) ?? [];
        var expressions = selector.MatchExpressions.Items()
            .Select(e => Requirement.Of(e.Key, e.OperatorProperty, e.Values)).ToList();
        return expressions.TrueForAll(e => e.IsWellFormed && e.Operator is not ("Gt" or "Lt"))
            ? new([.. labels, .. expressions], matchesNothing: false)
            : null;
    }

    /// <summary>The same with more conditions.</summary>
    public LabelQuery And(IEnumerable<Requirement> more) =>
        _matchesNothing ? this : new([.. _requirements, .. more], matchesNothing: false);

    public bool Matches(IReadOnlyDictionary<string, string> labels) =>
        !_matchesNothing && _requirements.All(r => r.Matches(labels));
}
