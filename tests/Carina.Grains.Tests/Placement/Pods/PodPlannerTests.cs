using Carina.Grains.Configuration;
using Carina.Grains.Nodes;
using Carina.Grains.Placement.Pods;
using static Carina.Grains.Tests.Placement.Pods.Plans;

namespace Carina.Grains.Tests.Placement.Pods;

public sealed class PodPlannerTests
{
    [Fact]
    public void Claims_of_one_group_count_together()
    {
        var node = Node("node-2", Pool("carina-vg-ssd", 12 * GiB));
        var pod = Pod(Claim("data", ("carina-vg-ssd", 10 * GiB)), Claim("logs", ("ssd", 5 * GiB)));
        Assert.Equal("group carina-vg-ssd has 12 GiB left, the pod's 2 claims ask for 15 GiB", Reason(pod, node));
        Assert.True(PlanOn(Pod(pod.Claims[0]), node).Fits);
        Assert.True(PlanOn(Pod(pod.Claims[1]), node).Fits);
    }

    [Fact]
    public void A_message_never_says_that_the_same_number_is_not_enough()
    {
        var pod = Pod(Claim("data", ("g", 12 * GiB)));
        Assert.Equal(
            "group g has 11.99 GiB left, the pod's claim asks for 12 GiB", Reason(pod, Node("n", Pool("g", (12 * GiB) - 1))));
        Assert.Equal(
            "group g has 12 GiB left, the pod's claim asks for 12.01 GiB",
            Reason(Pod(Claim("data", ("g", (12 * GiB) + 1))), Node("n", Pool("g", 12 * GiB))));
        Assert.Equal("group g has nothing left, the pod's claim asks for 12 GiB", Reason(pod, Node("n", Pool("g", 0))));
    }

    [Fact]
    public void The_last_byte_counts_in_whole_units_of_the_pool()
    {
        var pod = Pod(Claim("a", ("g", 5)), Claim("b", ("g", 5)));
        Assert.True(PlanOn(pod, Node("n", Pool("g", 16, granularity: 4))).Fits);
        Assert.False(PlanOn(pod, Node("n", Pool("g", 12, granularity: 4))).Fits);
    }

    [Fact]
    public void A_cache_counts_in_its_own_group_beside_the_rest()
    {
        var claim = ClaimDemand.Read("data", Cached("hdd", "ssd", "50"), 10 * GiB);
        Assert.Equal([new PoolDemand("hdd", 10 * GiB), new PoolDemand("ssd", 5 * GiB)], claim.Parts);
        var pod = Pod(claim, Claim("logs", ("ssd", 2 * GiB)));
        Assert.True(PlanOn(pod, Node("n", Pool("hdd", 10 * GiB), Pool("ssd", 7 * GiB))).Fits);
        Assert.Equal(
            "group ssd has 6 GiB left, the pod's 2 claims ask for 7 GiB",
            Reason(pod, Node("n", Pool("hdd", 10 * GiB), Pool("ssd", 6 * GiB))));
        Assert.Equal(
            "group hdd has 9 GiB left, claim data asks for 10 GiB",
            Reason(pod, Node("n", Pool("hdd", 9 * GiB), Pool("ssd", 9 * GiB))));
    }

    [Fact]
    public void A_volume_and_its_cache_may_be_in_one_group()
    {
        var pod = Pod(ClaimDemand.Read("data", Cached("ssd", "ssd", "50"), 10 * GiB));
        Assert.Equal(
            "group ssd has 12 GiB left, the pod's claim asks for 15 GiB", Reason(pod, Node("n", Pool("ssd", 12 * GiB))));
    }

    [Theory]
    [InlineData("carina.storage.io/disk-group-name", "ssd")]
    [InlineData("carina.storage.io/disk-type", "ssd")]
    [InlineData("carina.storage.io/backend-disk-group-name", "ssd")]
    [InlineData("carina.storage.io/backend-disk-type", " ssd ")]
    [InlineData("csi.storage.k8s.io/fstype", "")]
    public void All_spellings_of_a_group_are_read(string key, string group) =>
        Assert.Equal(
            new PoolDemand(group.Trim(), 7),
            Assert.Single(ClaimDemand.Read("c", new Dictionary<string, string> { [key] = group, ["carina.storage.io/cache-disk-ratio"] = "0" }, 7).Parts));

    [Theory]
    [InlineData("5")]
    [InlineData("100")]
    [InlineData("-1")]
    [InlineData("half")]
    public void A_cache_that_makes_no_sense_fits_nowhere_and_says_why(string ratio)
    {
        var pod = Pod(ClaimDemand.Read("data", Cached("hdd", ratio == "5" ? "" : "ssd", ratio), 10));
        var plan = PlanOn(pod, Node("n", Pool("hdd", 100), Pool("ssd", 100)));
        Assert.Contains("claim data", plan.Obstacle!.Reason, StringComparison.Ordinal);
        Assert.Contains("carina.storage.io/cache-disk-", plan.Obstacle.Reason, StringComparison.Ordinal);
        Assert.True(plan.Obstacle.Permanent);
    }

    [Fact]
    public void Two_spellings_that_differ_fit_nowhere() =>
        Assert.NotEmpty(ClaimDemand.Read(
            "c",
            new Dictionary<string, string> { [CarinaNames.DiskGroup] = "a", [CarinaNames.LegacyDiskGroup] = "b" },
            1).Problem);

    [Fact]
    public void Existing_volumes_pin_the_pod()
    {
        var nodes = new[] { Node("a", Pool("g", 100)), Node("b", Pool("g", 100)) };
        var pod = Pod(Claim("new", ("g", 10))) with { Pins = [new("data", "b")] };
        var plans = Plan(pod, nodes);
        Assert.Equal(new Obstacle("the volume of claim data is on node b", Permanent: true), plans[0].Obstacle);
        Assert.True(plans[1].Fits);
        Assert.Equal([0, 100], Suitability.Scale(pod, plans));
    }

    [Fact]
    public void The_node_of_existing_volumes_needs_no_ledger()
    {
        var pod = new PodDemand { Pins = [new("data", "b")] };
        var plan = Assert.Single(PodPlanner.Plan(pod, ["b"], [], [], SchedulerStrategy.Binpack));
        Assert.True(plan.Fits);
        Assert.Equal([100], Suitability.Scale(pod, [plan]));
    }

    [Fact]
    public void Volumes_on_two_nodes_leave_no_place()
    {
        var pod = new PodDemand { Pins = [new("data", "b"), new("more", "b"), new("logs", "a")] };
        Assert.All(Plan(pod, Node("a"), Node("b")), plan => Assert.Equal(
            new Obstacle("the pod's claims are on different nodes, data on b and logs on a", Permanent: true), plan.Obstacle));
    }

    [Fact]
    public void What_no_waiting_cures_is_told_apart()
    {
        var pod = Pod(Claim("a", ("g", 10)), Claim("b", ("h", 10)));
        Assert.Equal(new("has no group h", true), PlanOn(pod, Node("n", Pool("g", 5))).Obstacle);
        Assert.False(PlanOn(pod, Node("n", Pool("g", 5, size: 10), Pool("h", 10))).Obstacle!.Permanent);
        Assert.True(PlanOn(pod, Node("n", Pool("g", 5, size: 9), Pool("h", 10))).Obstacle!.Permanent);
        Assert.Equal(
            new("group h has policy RAW, of which this release makes no volumes", true),
            PlanOn(pod, Node("n", Pool("g", 50), Pool("h", 50, policy: PoolPolicy.Raw))).Obstacle);
        Assert.Equal(
            "group h takes nothing new: a disk is missing",
            Reason(pod, Node("n", Pool("g", 50), Pool("h", 0, problem: "a disk is missing"))));
    }

    [Fact]
    public void A_node_whose_agent_is_silent_may_answer_later()
    {
        var plan = Assert.Single(PodPlanner.Plan(Pod(Claim("a", ("g", 1))), ["b"], [Node("a", Pool("g", 5))], [], SchedulerStrategy.Binpack));
        Assert.False(plan.Obstacle!.Permanent);
        Assert.Contains("no storage agent", plan.Obstacle.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_disk_for_one_volume_alone_is_refused_where_there_is_none()
    {
        var claim = ClaimDemand.Read("c", new Dictionary<string, string> { [CarinaNames.DiskGroup] = "g", [CarinaNames.ExclusiveRawDisk] = "true" }, 1);
        Assert.Contains("RAW", Reason(Pod(claim), Node("n", Pool("g", 5))), StringComparison.Ordinal);
    }

    [Fact]
    public void Claims_without_a_group_are_packed_over_all_of_them()
    {
        // Neither the largest first into the emptiest nor into the fullest pool finds this one.
        var pod = Pod(Claim("a", ("", 4)), Claim("b", ("", 4)), Claim("c", ("", 3)), Claim("d", ("", 3)), Claim("e", ("", 2)));
        Assert.True(PlanOn(pod, Node("n", Pool("x", 8), Pool("y", 8))).Fits);
        Assert.False(PlanOn(pod, Node("n", Pool("x", 9), Pool("y", 6))).Fits);
    }

    [Fact]
    public void What_is_missing_for_claims_without_a_group_is_told_for_each_group()
    {
        var pod = Pod(Claim("a", ("", 4 * GiB)), Claim("b", ("", 3 * GiB)));
        Assert.Equal(
            "groups have x 3 GiB left and y 2 GiB left, the pod's 2 claims ask for 7 GiB, of that 4 GiB in one piece",
            Reason(pod, Node("n", Pool("x", 3 * GiB), Pool("y", 2 * GiB))));
    }

    [Fact]
    public void What_is_on_its_way_to_a_node_counts_there_and_nowhere_else()
    {
        var nodes = new[] { Node("a", Pool("carina-vg-ssd", 12 * GiB)), Node("b", Pool("carina-vg-ssd", 12 * GiB)) };
        var expected = new ExpectedDemand("a", [new("ssd", 8 * GiB)]);
        var plans = PodPlanner.Plan(
            Pod(Claim("data", ("ssd", 5 * GiB))), ["a", "b"], nodes, [expected], SchedulerStrategy.Spreadout);
        Assert.Equal(
            "group carina-vg-ssd has 4 GiB left beside 8 GiB for pods on their way, the pod's claim asks for 5 GiB",
            plans[0].Obstacle!.Reason);
        Assert.True(plans[1].Fits);
    }

    [Fact]
    public void What_is_promised_to_the_pod_already_is_not_asked_for_again()
    {
        var nodes = new[] { Node("a", Pool("g", 3)), Node("b", Pool("g", 3)) };
        var pod = Pod(Claim("made", ("g", 5)) with { PromisedAt = "a" }, Claim("new", ("g", 3)));
        Assert.Equal([true, false], Plan(pod, nodes).Select(p => p.Fits));
    }

    [Fact]
    public void More_on_its_way_than_there_is_room_for_leaves_nothing()
    {
        var expected = Enumerable.Repeat(new ExpectedDemand("a", [new("", long.MaxValue), new("g", long.MaxValue)]), 9).ToList();
        var plan = Assert.Single(PodPlanner.Plan(
            Pod(Claim("c", ("g", 1))), ["a"], [Node("a", Pool("g", 5))], expected, SchedulerStrategy.Spreadout));
        Assert.Contains("g has nothing left", plan.Obstacle!.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(SchedulerStrategy.Binpack, "c", new[] { 0, 25, 100 })]
    [InlineData(SchedulerStrategy.Spreadout, "a", new[] { 100, 75, 0 })]
    public void The_strategy_decides_among_nodes_with_room(SchedulerStrategy strategy, string best, int[] scores)
    {
        // Shares taken: 10, 20 and 50 of a hundred.
        var nodes = new[] { Node("a", Pool("g", 100)), Node("b", Pool("g", 50)), Node("c", Pool("g", 20)), Node("d", Pool("g", 9)) };
        var pod = Pod(Claim("c", ("g", 10)));
        var plans = PodPlanner.Plan(pod, ["a", "b", "c", "d"], nodes, [], strategy);
        Assert.Equal(best, Suitability.FindBest(plans)!.NodeName);
        Assert.Equal([.. scores, 0], Suitability.Scale(pod, plans));
    }

    [Fact]
    public void Groups_count_alike_whatever_their_size()
    {
        var pod = Pod(Claim("a", ("small", 5)), Claim("b", ("large", 100)));
        var plan = PodPlanner.Plan(
            pod, ["n"], [Node("n", Pool("small", 10), Pool("large", 1000))], [], SchedulerStrategy.Binpack)[0];
        Assert.Equal(30, plan.Suitability, 6);
    }

    [Fact]
    public void Pods_without_our_volumes_are_neither_held_back_nor_drawn_anywhere()
    {
        var plans = PodPlanner.Plan(new(), ["a", "unknown"], [Node("a")], [], SchedulerStrategy.Binpack);
        Assert.All(plans, plan => Assert.True(plan.Fits));
        Assert.Equal([50, 50], Suitability.Scale(new(), plans));
    }

    private static Dictionary<string, string> Cached(string backend, string cache, string ratio) => new()
    {
        [CarinaNames.BackendDiskGroup] = backend,
        [CarinaNames.CacheDiskGroup] = cache,
        [CarinaNames.CacheDiskRatio] = ratio,
    };

    private static string Reason(PodDemand pod, NodeCapacity node) => PlanOn(pod, node).Obstacle!.Reason;

    private static NodePlan PlanOn(PodDemand pod, NodeCapacity node) => Assert.Single(Plan(pod, node));

    private static IReadOnlyList<NodePlan> Plan(PodDemand pod, params NodeCapacity[] nodes) =>
        PodPlanner.Plan(pod, [.. nodes.Select(n => n.NodeName)], nodes, [], SchedulerStrategy.Spreadout);
}
