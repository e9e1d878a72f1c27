using Carina.Kubernetes.PodFit.Cluster;

namespace Carina.Kubernetes.PodFit.Rules;

/// <summary>How much there is of something in each topology domain.</summary>
internal sealed class TopologyCounts
{
    private readonly Dictionary<(string Key, string Value), long> _counts = [];

    public bool IsEmpty => _counts.Count == 0;

    /// <summary>Adds to the domain of a node; one without the label is in none.</summary>
    public void Add(string topologyKey, NodeView node, long amount)
    {
        if (node.Labels.TryGetValue(topologyKey, out var value))
        {
            var domain = (topologyKey, value ?? "");
            _counts[domain] = _counts.GetValueOrDefault(domain) + amount;
        }
    }

    /// <summary>The count of a node's domain; 0 when it is in none.</summary>
    public long Of(string topologyKey, NodeView node) =>
        node.Labels.TryGetValue(topologyKey, out var value) ? _counts.GetValueOrDefault((topologyKey, value ?? "")) : 0;

    /// <summary>The sum of all domains that a node is in.</summary>
    public long Sum(NodeView node) =>
        _counts.Where(c => node.Labels.TryGetValue(c.Key.Key, out var value) && (value ?? "") == c.Key.Value).Sum(c => c.Value);
}
