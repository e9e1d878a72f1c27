using Carina.Grains.Configuration;
using Carina.Grains.Nodes;
using Carina.Grains.Placement;

namespace Carina.Grains.Tests.Placement;

public sealed class PlacementPlannerTests
{
    private static readonly NodeCapacity[] _nodes =
    [
        Node("a", ("ssd", 100), ("hdd", 500)),
        Node("b", ("ssd", 300)),
        Node("c", ("ssd", 200)),
    ];

    [Fact]
    public void Binpack_takes_the_fullest_that_fits_and_spreadout_the_emptiest()
    {
        Assert.Equal("c", Rank(Request(150, "ssd"), SchedulerStrategy.Binpack).Candidates[0].NodeName);
        Assert.Equal("b", Rank(Request(150, "ssd"), SchedulerStrategy.Spreadout).Candidates[0].NodeName);
    }

    [Fact]
    public void Without_a_pool_any_pool_serves() =>
        Assert.Equal("hdd", Rank(Request(50, ""), SchedulerStrategy.Spreadout).Candidates[0].Pool);

    [Theory]
    [InlineData(true, "b")]
    [InlineData(true, "a", "b")]
    [InlineData(true)]
    [InlineData(false, "a")]
    public void A_silent_node_matters_where_it_could_have_matched(bool expected, params string[] requisite) =>
        Assert.Equal(expected, PlacementPlanner.MayMatchAny([.. requisite.Select(On)], "b"));

    [Fact]
    public void Requisite_topology_binds_and_preferred_only_orders()
    {
        var request = Request(50, "ssd") with { Requisite = [On("a"), On("c")], Preferred = [On("a")] };
        Assert.Equal(["a", "c"], Rank(request, SchedulerStrategy.Spreadout).Candidates.Select(c => c.NodeName));
    }

    [Fact]
    public void Foreign_topology_keys_are_matched_against_labels()
    {
        var request = Request(50, "ssd") with { Requisite = [new() { ["zone"] = "z-b" }] };
        Assert.Equal("b", Assert.Single(Rank(request, SchedulerStrategy.Spreadout).Candidates).NodeName);
    }

    [Fact]
    public void Refusals_say_what_is_missing_where()
    {
        var ranking = Rank(Request(1000, "hdd"), SchedulerStrategy.Spreadout);
        Assert.Empty(ranking.Candidates);
        Assert.Contains(ranking.Refusals, r => r.Contains("'a'", StringComparison.Ordinal) && r.Contains("500", StringComparison.Ordinal));
        Assert.Contains(ranking.Refusals, r => r.Contains("'b'", StringComparison.Ordinal) && r.Contains("no pool 'hdd'", StringComparison.Ordinal));
    }

    [Fact]
    public void A_limit_that_rounding_breaks_is_a_refusal()
    {
        var request = Request(5, "ssd") with { LimitBytes = 6 };
        Assert.Empty(Rank(request, SchedulerStrategy.Spreadout).Candidates);
    }

    [Fact]
    public void Capacity_is_the_sum_and_the_largest_of_what_matches()
    {
        Assert.Equal(new AvailableCapacity(600, 300, 4), PlacementPlanner.Sum(new CapacityQuery("ssd", []), _nodes));
        Assert.Equal(new AvailableCapacity(100, 100, 4), PlacementPlanner.Sum(new CapacityQuery("ssd", On("a")), _nodes));
        Assert.Equal(new AvailableCapacity(0, 0, 0), PlacementPlanner.Sum(new CapacityQuery("none", []), _nodes));
    }

    [Theory]
    [InlineData("ssd", "ssd")]
    [InlineData("SSD", "ssd")]
    [InlineData("hdd", "carina-vg-hdd")]
    [InlineData("HDD", "carina-vg-hdd")]
    [InlineData("carina-vg-hdd", "carina-vg-hdd")]
    [InlineData("carina-vg-ssd", "carina-vg-ssd")]
    [InlineData("other", "other")]
    [InlineData("", "")]
    public void A_group_is_meant_by_its_name_then_by_any_case_then_without_the_old_prefix(string asked, string pool) =>
        Assert.Equal(pool, PoolName.Resolve(asked, ["carina-vg-hdd", "carina-vg-ssd", "ssd"]));

    private static PlacementRanking Rank(PlacementRequest request, SchedulerStrategy strategy) =>
        PlacementPlanner.Rank(request, _nodes, strategy);

    private static Dictionary<string, string> On(string node) => new() { [CarinaNames.TopologyKey] = node };

    private static PlacementRequest Request(long bytes, string pool) =>
        new() { Bytes = bytes, LimitBytes = 0, Pool = pool, Requisite = [], Preferred = [] };

    private static NodeCapacity Node(string name, params (string Pool, long Available)[] pools) => new(
        name,
        [
            .. pools.Select(p => new PoolCapacity
            {
                Name = p.Pool,
                Policy = PoolPolicy.Lvm,
                SizeBytes = 1000,
                AvailableBytes = p.Available,
                AllocatedBytes = 0,
                GranularityBytes = 4,
                Volumes = 0,
            }),
        ],
        new Dictionary<string, string> { [CarinaNames.TopologyKey] = name, ["zone"] = "z-" + name });
}
