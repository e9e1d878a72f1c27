using Carina.Grains.Configuration;
using Carina.Grains.Nodes;

namespace Carina.Grains.Placement;

/// <summary>Chooses places for a volume. Pure: the same nodes and request give the same order.</summary>
public static class PlacementPlanner
{
    /// <summary>
    /// Nodes and pools that fit, best first: by order of preferred topology, then by strategy, then by name. The
    /// refusals say for every other node what stands in the way.
    /// </summary>
    public static PlacementRanking Rank(
        PlacementRequest request, IEnumerable<NodeCapacity> nodes, SchedulerStrategy strategy)
    {
        var candidates = new List<(int Preference, PlacementCandidate Candidate)>();
        var refusals = new List<string>();
        var known = nodes.ToList();
        var wanted = PoolName.Resolve(request.Pool, PoolNames(known));
        foreach (var node in known.OrderBy(n => n.NodeName, StringComparer.Ordinal))
        {
            if (!MatchesAny(request.Requisite, node.Labels))
            {
                refusals.Add($"node '{node.NodeName}' is not in the requested topology");
                continue;
            }

            var preference = PreferenceOf(request.Preferred, node.Labels);
            var fitted = false;
            var reasons = new List<string>();
            foreach (var pool in node.Pools.Where(p => wanted.Length == 0 || p.Name == wanted))
            {
                if (Refuse(pool, request) is { } reason)
                {
                    reasons.Add(reason);
                }
                else
                {
                    fitted = true;
                    candidates.Add((preference, new(node.NodeName, pool.Name, pool.Policy, pool.AvailableBytes)));
                }
            }

            if (!fitted)
            {
                refusals.Add($"node '{node.NodeName}': " + (reasons.Count > 0
                    ? string.Join(", ", reasons)
                    : wanted.Length > 0 ? $"has no pool '{wanted}'" : "has no pools"));
            }
        }

        var ordered = candidates.OrderBy(c => c.Preference);
        ordered = strategy == SchedulerStrategy.Binpack
            ? ordered.ThenBy(c => c.Candidate.AvailableBytes)
            : ordered.ThenByDescending(c => c.Candidate.AvailableBytes);
        return new(
            [
                .. ordered.ThenBy(c => c.Candidate.NodeName, StringComparer.Ordinal)
                    .ThenBy(c => c.Candidate.Pool, StringComparer.Ordinal)
                    .Select(c => c.Candidate),
            ],
            refusals);
    }

    /// <summary>What could be provisioned on these nodes; all zero where no pool matches.</summary>
    public static AvailableCapacity Sum(CapacityQuery query, IEnumerable<NodeCapacity> nodes)
    {
        var known = nodes.ToList();
        var wanted = PoolName.Resolve(query.Pool, PoolNames(known));
        var pools = known
            .Where(n => Matches(query.Segments, n.Labels))
            .SelectMany(n => n.Pools)
            .Where(p => p.Policy is PoolPolicy.Lvm or PoolPolicy.File && p.Problem.Length == 0)
            .Where(p => wanted.Length == 0 || p.Name == wanted)
            .ToList();
        return new(
            pools.Sum(p => p.AvailableBytes),
            pools.Select(p => p.AvailableBytes).DefaultIfEmpty(0).Max(),
            pools.Select(p => p.GranularityBytes).DefaultIfEmpty(0).Min());
    }

    /// <summary>Whether a node with these labels is in one of the segments; no segments means anywhere.</summary>
    public static bool MatchesAny(
        IReadOnlyCollection<Dictionary<string, string>> segments, IReadOnlyDictionary<string, string> labels) =>
        segments.Count == 0 || segments.Any(s => Matches(s, labels));

    private static IEnumerable<string> PoolNames(IEnumerable<NodeCapacity> nodes) =>
        nodes.SelectMany(n => n.Pools).Select(p => p.Name).Distinct(StringComparer.Ordinal);

    /// <summary>As <see cref="MatchesAny"/> for a node of which only the name is known.</summary>
    public static bool MayMatchAny(IReadOnlyCollection<Dictionary<string, string>> segments, string node) =>
        segments.Count == 0
        || segments.Any(s => !s.TryGetValue(CarinaNames.TopologyKey, out var value) || value == node);

    private static bool Matches(Dictionary<string, string> segment, IReadOnlyDictionary<string, string> labels) =>
        segment.All(s => labels.TryGetValue(s.Key, out var value) && value == s.Value);

    private static int PreferenceOf(
        List<Dictionary<string, string>> preferred, IReadOnlyDictionary<string, string> labels)
    {
        var index = preferred.FindIndex(s => Matches(s, labels));
        return index < 0 ? preferred.Count : index;
    }

    private static string? Refuse(PoolCapacity pool, PlacementRequest request)
    {
        if (pool.Policy is not (PoolPolicy.Lvm or PoolPolicy.File))
        {
            return $"pool '{pool.Name}' has a policy this request cannot use";
        }

        if (pool.Problem.Length > 0)
        {
            return $"pool '{pool.Name}' takes nothing new: {pool.Problem}";
        }

        if (request.Bytes > pool.AvailableBytes)
        {
            return $"pool '{pool.Name}' has {pool.AvailableBytes} bytes left of the {request.Bytes} asked for";
        }

        var rounded = (request.Bytes + pool.GranularityBytes - 1) / pool.GranularityBytes * pool.GranularityBytes;
        return request.LimitBytes > 0 && rounded > request.LimitBytes
            ? $"pool '{pool.Name}' allocates in units of {pool.GranularityBytes} bytes, which does not fit the limit of {request.LimitBytes}"
            : null;
    }
}
