using Carina.Grains.Configuration;
using Carina.Grains.Nodes;

namespace Carina.Grains.Placement.Pods;

/// <summary>
/// Says on which nodes all volumes of a pod can be, and for each other node what is missing. Pure, and never more than
/// a forecast: what is promised is decided by the ledgers when the volumes are made.
/// </summary>
public static class PodPlanner
{
    /// <summary>One plan for each candidate, in their order.</summary>
    /// <param name="demand">All volumes of the pod.</param>
    /// <param name="candidates">Names of the nodes in question.</param>
    /// <param name="nodes">What the ledgers say; of all nodes, since group names are resolved among all pools.</param>
    /// <param name="expected">What is on its way to nodes beside this pod.</param>
    /// <param name="strategy">What makes a node suitable.</param>
    public static IReadOnlyList<NodePlan> Plan(
        PodDemand demand,
        IReadOnlyCollection<string> candidates,
        IReadOnlyCollection<NodeCapacity> nodes,
        IReadOnlyCollection<ExpectedDemand> expected,
        SchedulerStrategy strategy)
    {
        if (FindUniversalObstacle(demand) is { } obstacle)
        {
            return [.. candidates.Select(node => new NodePlan { NodeName = node, Obstacle = obstacle })];
        }

        var groups = new GroupNames(nodes);
        var known = nodes.ToDictionary(n => n.NodeName, StringComparer.Ordinal);
        var expectedAt = expected.ToLookup(e => e.NodeName, StringComparer.Ordinal);
        return [.. candidates.Select(node => PlanOn(node))];

        NodePlan PlanOn(string node)
        {
            var plan = new NodePlan { NodeName = node };
            if (demand.Pins.FirstOrDefault(p => p.NodeName != node) is { } pin)
            {
                var elsewhere = $"the volume of claim {pin.Claim} is on node {pin.NodeName}";
                return plan with { Obstacle = new(elsewhere, Permanent: true) };
            }

            if (demand.Claims.Count == 0)
            {
                return plan with { Suitability = Suitability.Neutral };
            }

            return known.TryGetValue(node, out var capacity)
                ? new NodePlanner(demand, capacity, expectedAt[node], groups, strategy).Plan()
                : plan with
                {
                    Obstacle = new(
                        "what room it has is not known, because no storage agent of this node answers", Permanent: false),
                };
        }
    }

    /// <summary>What stands in the way everywhere.</summary>
    private static Obstacle? FindUniversalObstacle(PodDemand demand)
    {
        var first = demand.Pins.Count > 0 ? demand.Pins[0] : null;
        if (demand.Pins.FirstOrDefault(p => p.NodeName != first!.NodeName) is { } other)
        {
            return new(
                $"the pod's claims are on different nodes, {first!.Claim} on {first.NodeName} and {other.Claim} on {other.NodeName}",
                Permanent: true);
        }

        return demand.Claims.FirstOrDefault(c => c.Problem.Length > 0) is { } claim
            ? new Obstacle($"no volume can be made for claim {claim.Claim}: {claim.Problem}", Permanent: true)
            : null;
    }
}
