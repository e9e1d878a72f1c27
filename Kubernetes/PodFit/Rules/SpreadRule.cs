using System.Collections.ObjectModel;
using Carina.Kubernetes.PodFit.Cluster;

namespace Carina.Kubernetes.PodFit.Rules;

/// <summary>The pods that are to be spread stay so.</summary>
internal sealed class SpreadRule : INodeRule
{
    private const string Obstacle = "didn't match pod topology spread constraints";
    private readonly string _problem = "";
    private readonly List<(SpreadConstraint Constraint, ReadOnlyDictionary<string, int> Domains)> _constraints = [];

    public SpreadRule(Replacement replacement, Landscape landscape)
    {
        if (SpreadConstraint.Read(replacement, required: true) is { } constraints)
        {
            _constraints = [.. constraints.Select(c => (c, c.Count(constraints, landscape)))];
        }
        else
        {
            _problem = "can't be judged: a selector in spec.topologySpreadConstraints "
                + $"of pod {ObjectParts.Describe(replacement.Pod)} is malformed";
        }
    }

    public string ObstacleOn(NodeView node)
    {
        if (_problem.Length > 0)
        {
            return _problem;
        }

        foreach (var (constraint, domains) in _constraints)
        {
            if (!node.Labels.TryGetValue(constraint.TopologyKey, out var domain))
            {
                return $"{Obstacle} (missing required label {constraint.TopologyKey})";
            }

            // Domains that do not exist yet are empty ones.
            var least = domains.Count == 0 || domains.Count < constraint.MinDomains ? 0 : domains.Values.Min();
            var count = domains.GetValueOrDefault(domain ?? "") + (constraint.CountsReplacement ? 1 : 0);
            if (count - least > constraint.MaxSkew)
            {
                return $"{Obstacle} ({constraint.TopologyKey}={domain} would have {count}, "
                    + $"the least is {least}, maxSkew {constraint.MaxSkew})";
            }
        }

        return "";
    }
}
