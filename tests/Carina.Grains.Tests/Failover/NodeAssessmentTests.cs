using Carina.Grains.Failover;
using Microsoft.Extensions.Time.Testing;

namespace Carina.Grains.Tests.Failover;

public sealed class NodeAssessmentTests
{
    private static readonly ObservedLease _fresh = new(TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(15), Guarded: true, []);
    private static readonly ObservedLease _lapsed = _fresh with { Silence = TimeSpan.FromSeconds(16) };
    private static readonly ObservedHeartbeat _heard = new(TimeSpan.FromSeconds(14), TimeSpan.FromSeconds(10));
    private static readonly ObservedHeartbeat _silent = _heard with { Silence = TimeSpan.FromSeconds(15) };
    private static readonly FailoverOptions _options = new();
    private static readonly FailoverOptions _fast = new() { FastDetection = true };

    [Fact]
    public void A_node_is_lost_when_Kubernetes_or_an_operator_says_so_and_not_for_a_silent_lease()
    {
        Assert.False(Assess(Node()).IsLost);
        Assert.False(Assess(Node() with { SiloLive = false, Lease = _lapsed }).IsLost);
        Assert.True(Assess(Node() with { Ready = false }).IsLost);
        Assert.True(Assess(Node() with { Exists = false, Ready = false }).IsLost);
        Assert.True(Assess(Node() with { OutOfService = true }).IsLost);
    }

    [Fact]
    public void With_fast_detection_a_node_is_lost_when_silo_lease_and_kubelet_are_all_silent_and_not_for_any_two_of_them()
    {
        var gone = Node() with { SiloLive = false, Lease = _lapsed, Kubelet = _silent };
        Assert.True(AssessFast(gone).IsLost);
        Assert.False(Assess(gone).IsLost);

        Assert.False(AssessFast(gone with { SiloLive = true }).IsLost);
        Assert.False(AssessFast(gone with { Lease = _fresh }).IsLost);
        Assert.False(AssessFast(gone with { Lease = _lapsed with { Guarded = false } }).IsLost);
        Assert.False(AssessFast(gone with { Lease = null }).IsLost);
        Assert.False(AssessFast(gone with { Kubelet = _heard }).IsLost);
        Assert.False(AssessFast(gone with { Kubelet = null }).IsLost);
        Assert.NotEmpty(AssessFast(gone with { InMaintenance = true }).Spared);
    }

    [Fact]
    public void Who_acts_on_the_first_lapse_counts_those_that_are_about_to()
    {
        var first = Node() with { SiloLive = false, Lease = _lapsed, Kubelet = _silent };
        var overdue = Node() with { Lease = _fresh with { Silence = TimeSpan.FromSeconds(7) } };
        var gone = Node() with { SiloLive = false };
        Assert.Empty(NodeAssessment.FindStorm([first, overdue, Node()], _options));
        Assert.Empty(NodeAssessment.FindStorm([first, Node(), Node()], _fast));
        Assert.NotEmpty(NodeAssessment.FindStorm([first, overdue, Node()], _fast));
        Assert.NotEmpty(NodeAssessment.FindStorm([first, gone, Node()], _fast));

        // Without the driver there is no silo that could be missed.
        Assert.Empty(NodeAssessment.FindStorm([first, Node(), gone with { Lease = null }, gone with { Lease = null }], _fast));
    }

    [Fact]
    public void Nodes_without_a_lease_do_not_outvote_those_that_rely_on_the_brake()
    {
        var silent = Node() with { Lease = _lapsed };
        var stranger = Node() with { Lease = null };
        Assert.NotEmpty(NodeAssessment.FindStorm([silent, silent, Node(), stranger, stranger, stranger], _options));
        Assert.Empty(NodeAssessment.FindStorm([silent, Node(), Node(), stranger, stranger, stranger], _options));
    }

    [Fact]
    public void A_storm_counts_for_a_while_after_it_has_ended()
    {
        var time = new FakeTimeProvider();
        var brake = new StormBrake(time);
        ObservedNode[] calm = [Node(), Node(), Node()];
        ObservedNode[] storm = [Node() with { Ready = false }, Node() with { Ready = false }, Node()];
        Assert.Empty(brake.Find(calm, _options));
        Assert.NotEmpty(brake.Find(storm, _options));
        time.Advance(StormBrake.Memory - TimeSpan.FromSeconds(1));
        Assert.NotEmpty(brake.Find(calm, _options));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Empty(brake.Find(calm, _options));
    }

    [Fact]
    public void A_node_that_is_worked_on_keeps_its_volumes_unless_it_is_out_of_service()
    {
        Assert.NotEmpty(Assess(Node() with { Ready = false, InMaintenance = true }).Spared);
        Assert.Empty(Assess(Node() with { Ready = false, InMaintenance = true, OutOfService = true }).Spared);
        Assert.Empty(NodeAssessment.Assess(
            [Node() with { Ready = false, InMaintenance = true }], _options with { SkipCordonedNodes = false })[0].Spared);
    }

    [Theory]
    [InlineData(2, 1, false)]
    [InlineData(3, 1, false)]
    [InlineData(3, 2, true)]
    [InlineData(4, 2, false)]
    [InlineData(4, 3, true)]
    [InlineData(1, 1, true)]
    public void More_than_half_of_the_nodes_are_not_believed_to_be_lost(int nodes, int silent, bool isStorm)
    {
        var all = Enumerable.Range(0, nodes)
            .Select(i => new ObservedNode { Name = "node-" + i, Lease = i < silent ? _lapsed : _fresh })
            .ToList();
        Assert.Equal(isStorm, NodeAssessment.FindStorm(all, _options).Length > 0);
        Assert.Equal(isStorm, NodeAssessment.FindStorm(all, _options with { MaxLostNodesPercent = 100 }).Length > 0);
        Assert.NotEmpty(NodeAssessment.FindStorm(all, _options with { MaxLostNodesPercent = 0 }));
    }

    [Fact]
    public void A_node_that_was_removed_long_ago_is_not_counted()
    {
        var removed = Node() with
        {
            Exists = false,
            Ready = false,
            SiloLive = false,
            Lease = _lapsed with { Silence = NodeAssessment.ForgottenAfter - TimeSpan.FromSeconds(1) },
        };
        var lost = Node() with { Lease = _lapsed };
        Assert.NotEmpty(NodeAssessment.FindStorm([removed, lost, Node()], _options));
        removed = removed with { Lease = removed.Lease! with { Silence = NodeAssessment.ForgottenAfter } };
        Assert.Empty(NodeAssessment.FindStorm([removed, removed, lost, Node()], _options));
        Assert.NotEmpty(NodeAssessment.FindStorm([removed with { SiloLive = true }, lost, Node()], _options));
        Assert.NotEmpty(NodeAssessment.FindStorm([removed with { Exists = true }, lost, Node()], _options));
    }

    [Fact]
    public void A_machine_that_an_operator_says_is_off_is_not_counted()
    {
        ObservedNode[] nodes =
        [
            Node(),
            Node() with { Name = "off", OutOfService = true, Ready = false, Lease = _lapsed },
            Node() with { Name = "silent", Ready = false },
        ];
        Assert.Empty(NodeAssessment.FindStorm(nodes, _options));
    }

    private static ObservedNode Node() => new() { Name = "node", Lease = _fresh };

    private static NodeVerdict AssessFast(ObservedNode node) => NodeAssessment.Assess([node], _fast)[0];

    private static NodeVerdict Assess(ObservedNode node) => NodeAssessment.Assess([node], _options)[0];
}
