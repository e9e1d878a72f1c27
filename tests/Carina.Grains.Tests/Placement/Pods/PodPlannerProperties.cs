using Carina.Grains.Configuration;
using Carina.Grains.Nodes;
using Carina.Grains.Placement.Pods;
using CsCheck;
using static Carina.Grains.Tests.Placement.Pods.Plans;

namespace Carina.Grains.Tests.Placement.Pods;

/// <summary>The planner against trying everything.</summary>
public sealed class PodPlannerProperties
{
    private static readonly string[] _poolNames = ["carina-vg-ssd", "b", "c", "d"];
    private static readonly string[] _groups = ["", "", "", "ssd", "carina-vg-ssd", "B", "c", "nowhere"];

    private static readonly Gen<PoolCapacity> _pool = Gen.Select(
        Gen.Int[0, 14], OneOf(1L, 2, 4), Gen.Int[0, 9], Gen.Int[0, 9],
        (free, granularity, policy, problem) => Pool(
            "",
            free,
            20,
            policy switch { 0 => PoolPolicy.Raw, 1 => PoolPolicy.Host, 2 => PoolPolicy.File, _ => PoolPolicy.Lvm },
            granularity,
            problem == 0 ? "broken" : ""));

    private static readonly Gen<NodeCapacity[]> _nodes = _pool.Array[1, 4].Array[1, 3].Select(nodes => nodes
        .Select((pools, n) => Node($"n{n}", [.. pools.Select((p, i) => p with { Name = _poolNames[i] })]))
        .ToArray());

    private static readonly Gen<ClaimDemand> _claim = Gen.Select(
        OneOf(_groups), Gen.Int[1, 8], OneOf(_groups), Gen.Int[0, 5],
        (group, bytes, cache, cached) => Claim("c", cached > 0 ? [(group, bytes)] : [(group, bytes), (cache, 2)]));

    private static readonly Gen<PodDemand> _pod = _claim.Array[1, 5].Select(claims =>
        Pod([.. claims.Select((c, i) => c with { Claim = $"c{i}" })]));

    private static readonly Gen<SchedulerStrategy> _strategy =
        OneOf(SchedulerStrategy.Binpack, SchedulerStrategy.Spreadout);

    private static readonly Gen<ExpectedDemand> _expected = Gen.Select(Gen.Int[0, 2], OneOf(_groups), Gen.Int[1, 6])
        .Select((node, group, bytes) => new ExpectedDemand($"n{node}", [new(group, bytes)]));

    [Fact]
    public void A_node_fits_exactly_when_some_way_to_place_everything_exists() =>
        Gen.Select(_pod, _nodes, _strategy).Sample(
            (pod, nodes, strategy) =>
            {
                var plans = Plan(pod, nodes, [], strategy);
                for (var i = 0; i < nodes.Length; i++)
                {
                    Assert.Equal(AnyWay(pod, nodes[i], nodes), plans[i].Fits);
                }
            },
            iter: 20_000);

    [Fact]
    public void A_plan_places_every_part_within_what_is_left() =>
        Gen.Select(_pod, _nodes, _expected.Array[0, 4], _strategy).Sample(
            (pod, nodes, expected, strategy) =>
            {
                foreach (var (plan, node) in Plan(pod, nodes, expected, strategy).Zip(nodes).Where(p => p.First.Fits))
                {
                    Assert.Equal(
                        pod.Claims.SelectMany(c => c.Parts.Select(_ => c.Claim)).Order(StringComparer.Ordinal),
                        plan.Placements.Select(p => p.Claim).Order(StringComparer.Ordinal));
                    Assert.All(plan.Placements.GroupBy(p => p.Pool), group =>
                    {
                        var pool = node.Pools.Single(p => p.Name == group.Key);
                        Assert.True(group.Sum(p => p.Bytes) <= pool.AvailableBytes);
                        Assert.All(group, p => Assert.Equal(0, p.Bytes % pool.GranularityBytes));
                    });
                    Assert.InRange(plan.Suitability, 0, 100);
                }
            },
            iter: 5_000);

    [Fact]
    public void What_is_on_its_way_counts_as_if_it_were_there_already() =>
        Gen.Select(_pod, _nodes, Gen.Int[0, 3], Gen.Int[0, 10], _strategy).Sample(
            (pod, nodes, which, bytes, strategy) =>
            {
                var pool = _poolNames[which];
                var reduced = nodes.Select(n => n with
                {
                    Pools =
                    [
                        .. n.Pools.Select(p => p.Name == pool && n.NodeName == "n0"
                            ? p with { AvailableBytes = p.AvailableBytes - RoundUp(bytes, p.GranularityBytes) }
                            : p),
                    ],
                });
                Assert.Equal(
                    Plan(pod, [.. reduced], [], strategy).Select(p => (p.Fits, p.Suitability)),
                    Plan(pod, nodes, [new("n0", [new(pool, bytes)])], strategy).Select(p => (p.Fits, p.Suitability)));
            },
            iter: 5_000);

    [Fact]
    public void Scores_rank_what_fits_and_use_the_whole_scale() =>
        Gen.Select(_pod, _nodes, _strategy).Sample(
            (pod, nodes, strategy) =>
            {
                var plans = Plan(pod, nodes, [], strategy);
                var scored = plans.Zip(Suitability.Scale(pod, plans)).ToList();
                Assert.All(scored, s => Assert.InRange(s.Second, 0, s.First.Fits ? 100 : 0));
                foreach (var (a, b) in scored.SelectMany(a => scored.Select(b => (a, b))).Where(p => p.a.First.Fits && p.b.First.Fits))
                {
                    Assert.True(a.First.Suitability <= b.First.Suitability || a.Second >= b.Second);
                }

                Assert.Equal(plans.Any(p => p.Fits) ? 100 : 0, scored.Max(s => s.Second));
            },
            iter: 5_000);

    private static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    private static IReadOnlyList<NodePlan> Plan(
        PodDemand pod, NodeCapacity[] nodes, IReadOnlyCollection<ExpectedDemand> expected, SchedulerStrategy strategy) =>
        PodPlanner.Plan(pod, [.. nodes.Select(n => n.NodeName)], nodes, expected, strategy);

    private static bool AnyWay(PodDemand pod, NodeCapacity node, NodeCapacity[] all)
    {
        var parts = pod.Claims.SelectMany(c => c.Parts).ToList();
        var names = all.SelectMany(n => n.Pools).Select(p => p.Name).ToHashSet(StringComparer.Ordinal);
        return Try(0, [.. node.Pools.Select(p => p.AvailableBytes)]);

        bool Try(int part, long[] free) => part == parts.Count || Enumerable.Range(0, node.Pools.Count).Any(i =>
        {
            var pool = node.Pools[i];
            var bytes = RoundUp(parts[part].Bytes, pool.GranularityBytes);
            if (pool.Policy is PoolPolicy.Raw or PoolPolicy.Host || pool.Problem.Length > 0 || bytes > free[i]
                || !IsMeant(parts[part].Group, pool.Name, names))
            {
                return false;
            }

            var rest = free.ToArray();
            rest[i] -= bytes;
            return Try(part + 1, rest);
        });
    }

    // Written again rather than asked of PoolName, for the few names used here.
    private static bool IsMeant(string group, string pool, HashSet<string> names) => group switch
    {
        "" => true,
        "ssd" or "carina-vg-ssd" => pool == "carina-vg-ssd",
        "B" => pool == "b" && names.Contains("b"),
        _ => group == pool,
    };

    private static long RoundUp(long bytes, long granularity) => (bytes + granularity - 1) / granularity * granularity;
}
