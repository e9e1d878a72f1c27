using Carina.Grains.Configuration;

namespace Carina.Grains.Placement.Pods;

/// <summary>How well nodes suit a pod, from 0 to 100.</summary>
public static class Suitability
{
    public const int Highest = 100;

    /// <summary>For pods that have nothing to do with us.</summary>
    public const int Neutral = 50;

    private const double Same = 1e-9;

    /// <summary>
    /// Scores for people who choose a node: those with room from 0 to 100, so that the strategy counts however small
    /// the differences are; those without room 0; where all are alike all the highest. The node of a pod's existing
    /// volumes has the highest, and any node is neutral to a pod without our volumes.
    /// </summary>
    public static IReadOnlyList<int> Scale(PodDemand demand, IReadOnlyList<NodePlan> plans)
    {
        if (demand.IsEmpty)
        {
            return [.. plans.Select(_ => Neutral)];
        }

        var fitting = plans.Where(p => p.Fits).Select(p => p.Suitability).DefaultIfEmpty(0).ToList();
        var (low, high) = (fitting.Min(), fitting.Max());
        return
        [
            .. plans.Select(p => !p.Fits ? 0
                : demand.Pins.Count > 0 || high - low < Same ? Highest
                : (int)Math.Round((p.Suitability - low) / (high - low) * Highest)),
        ];
    }

    /// <summary>The best of the nodes with room, the same for the same plans; null when none has room.</summary>
    public static NodePlan? FindBest(IEnumerable<NodePlan> plans) => plans
        .Where(p => p.Fits)
        .OrderByDescending(p => p.Suitability)
        .ThenBy(p => p.NodeName, StringComparer.Ordinal)
        .FirstOrDefault();

    /// <summary>
    /// The share of what is left that the pod takes, averaged over its pools: as it is for binpack, what remains for
    /// spreadout.
    /// </summary>
    internal static double Of(IReadOnlyDictionary<PoolRoom, Int128> taken, SchedulerStrategy strategy)
    {
        if (taken.Count == 0)
        {
            return Neutral;
        }

        var share = taken.Average(t => t.Key.Free > 0 ? (double)t.Value / t.Key.Free : 1);
        return Highest * (strategy == SchedulerStrategy.Binpack ? share : 1 - share);
    }
}
