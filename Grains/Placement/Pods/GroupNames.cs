using Carina.Grains.Nodes;

namespace Carina.Grains.Placement.Pods;

/// <summary>What StorageClasses mean by groups, looked up once.</summary>
internal sealed class GroupNames(IEnumerable<NodeCapacity> nodes)
{
    private readonly List<string> _pools =
        [.. nodes.SelectMany(n => n.Pools).Select(p => p.Name).Distinct(StringComparer.Ordinal)];

    private readonly Dictionary<string, string> _resolved = new(StringComparer.Ordinal);

    /// <summary>The pool's name; what was asked for when there is no such pool anywhere.</summary>
    public string Resolve(string group)
    {
        if (!_resolved.TryGetValue(group, out var pool))
        {
            pool = PoolName.Resolve(group, _pools);
            _resolved.Add(group, pool);
        }

        return pool;
    }
}
