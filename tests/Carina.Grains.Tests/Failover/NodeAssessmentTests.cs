using Carina.Grains.Failover;

namespace Carina.Grains.Tests.Failover;

public sealed class NodeAssessmentTests
{
    private static readonly ObservedLease _fresh = new(TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(15), Guarded: true, []);
    private static readonly ObservedLease _lapsed = _fresh with { Silence = TimeSpan.FromSeconds(16) };
    private static readonly FailoverOptions _options = new();

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

    private static NodeVerdict Assess(ObservedNode node) => NodeAssessment.Assess([node], _options)[0];
}
