using Carina.Kubernetes.PodFit.Cluster;
using k8s.Models;

namespace Carina.Kubernetes.PodFit.Matching;

/// <summary>Terms that choose nodes. A term that is empty or malformed chooses none.</summary>
internal static class NodeTerms
{
    private const string NameField = "metadata.name";

    /// <summary>Whether one of the terms matches.</summary>
    public static bool Match(V1NodeSelector selector, NodeView node) =>
        selector.NodeSelectorTerms.Items().Any(t => Matches(t, node));

    public static bool Matches(V1NodeSelectorTerm? term, NodeView node)
    {
        var labels = Read(term?.MatchExpressions);
        var fields = Read(term?.MatchFields);
        return labels.Count + fields.Count > 0
            && labels.TrueForAll(r => r.IsWellFormed && r.Matches(node.Labels))
            && fields.TrueForAll(r => MatchesField(r, node.Name));
    }

    private static List<Requirement> Read(IList<V1NodeSelectorRequirement>? requirements) =>
        [.. requirements.Items().Select(r => Requirement.Of(r.Key, r.OperatorProperty, r.Values))];

    // Kubernetes knows one field of a node, these operators, and one value.
    private static bool MatchesField(Requirement requirement, string name)
    {
        if (requirement.Values.Count != 1)
        {
            return false;
        }

        var value = requirement.Key == NameField ? name : "";
        return requirement.Operator switch
        {
            "In" => requirement.Values[0] == value,
            "NotIn" => requirement.Values[0] != value,
            _ => false,
        };
    }
}
