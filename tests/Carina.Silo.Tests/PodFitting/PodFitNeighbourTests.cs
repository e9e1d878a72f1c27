using k8s.Models;
using static Carina.Silo.Tests.PodFitting.Fits;

namespace Carina.Silo.Tests.PodFitting;

/// <summary>What pods want of each other. Nodes a and b are in one zone, c in another, d in none.</summary>
public sealed class PodFitNeighbourTests
{
    private const string Db = """ "labelSelector":{"matchLabels":{"app":"db"}} """;
    private static readonly V1Node[] _nodes = [Node("a"), Node("b"), Node("c", "z2"), Node("d", "")];

    [Theory]
    [InlineData($$"""{"topologyKey":"zone",{{Db}}}""", "a b")]
    [InlineData($$"""{"topologyKey":"host",{{Db}}}""", "a")]
    [InlineData($$"""{"topologyKey":"zone",{{Db}},"namespaces":["other"]}""", "c")]
    [InlineData($$$"""{"topologyKey":"zone",{{{Db}}},"namespaceSelector":{}}""", "a b c")]
    [InlineData($$$$"""{"topologyKey":"zone",{{{{Db}}}},"namespaceSelector":{"matchLabels":{"team":"blue"}}}""", "c")]
    [InlineData($$$"""{"topologyKey":"zone",{{{Db}}},"namespaceSelector":{"matchLabels":{"team":"blue"}},"namespaces":["ns"]}""", "a b c")]
    [InlineData("""{"topologyKey":"zone"}""", "")]
    [InlineData("""{"topologyKey":"zone","labelSelector":{}}""", "a b")]
    [InlineData("""{"topologyKey":"zone","labelSelector":{"matchLabels":{"app":"nobody"}}}""", "")]
    [InlineData($$"""{"topologyKey":"zone",{{Db}},"matchLabelKeys":["app"]}""", "")]
    [InlineData("""{"topologyKey":"zone","labelSelector":{},"mismatchLabelKeys":["app"]}""", "a b")]
    [InlineData($$$"""{"topologyKey":"zone",{{{Db}}}},{"topologyKey":"host","labelSelector":{"matchExpressions":[{"key":"app","operator":"In","values":["db","x"]}]}}""", "a")]
    public void Required_affinity(string terms, string names) => Assert.Equal(
        names, Names(Evaluate(Pod("web", Affinity("podAffinity", terms)), _nodes, Pod("db", node: "a"), Pod("db", node: "c", ns: "other"))));

    [Theory]
    [InlineData($$"""{"topologyKey":"zone",{{Db}}}""", "c d")]
    [InlineData($$"""{"topologyKey":"host",{{Db}}}""", "b c d")]
    [InlineData($$$"""{"topologyKey":"host",{{{Db}}},"namespaceSelector":{}}""", "b d")]
    [InlineData("""{"topologyKey":"zone"}""", "a b c d")]
    [InlineData("""{"topologyKey":"zone","labelSelector":{},"matchLabelKeys":["app"]}""", "a b c d")]
    [InlineData("""{"topologyKey":"zone","labelSelector":{},"mismatchLabelKeys":["app"]}""", "c d")]
    public void Required_anti_affinity(string terms, string names)
    {
        Assert.Equal(
            names, Names(Evaluate(Pod("web", Affinity("podAntiAffinity", terms)), _nodes, Pod("db", node: "a"), Pod("db", node: "c", ns: "other"))));
    }

    [Fact]
    public void Pods_that_are_there_may_object()
    {
        var there = Pod("web", Affinity("podAntiAffinity", $$"""{"topologyKey":"zone",{{Db}}}"""), "a");
        var fits = Evaluate(Pod("db"), _nodes, there);
        Assert.Equal("c d", Names(fits));
        Assert.Equal("node b didn't satisfy existing pods anti-affinity rules (of pod ns/web)", fits[1].Obstacle);
        Assert.Equal("a b c d", Names(Evaluate(Pod("db", ns: "other"), _nodes, there)));

        there.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0].NamespaceSelector =
            new() { MatchLabels = new Dictionary<string, string> { ["team"] = "blue" } };
        Assert.Equal("c d", Names(Evaluate(Pod("db", ns: "other"), _nodes, there)));
        Assert.Equal("a b c d", Names(Evaluate(Pod("db"), _nodes, there)));
    }

    [Fact]
    public void The_first_of_a_series_may_go_where_the_topology_is_known()
    {
        var pod = Pod("db-1", Affinity("podAffinity", $$"""{"topologyKey":"zone",{{Db}}}"""));
        Assert.Equal("a b c", Names(Evaluate(pod, _nodes)));
        Assert.Equal("c", Names(Evaluate(pod, _nodes, Pod("db-2", node: "c"))));
        // Its old self is no neighbour.
        Assert.Equal("a b c", Names(Evaluate(pod, _nodes, Pod("db-1", node: "c"))));
        // Nor is a pod whose node nobody knows.
        Assert.Equal("a b c", Names(Evaluate(pod, _nodes, Pod("db-2", node: "gone"))));
    }

    [Fact]
    public void Its_old_self_does_not_keep_a_pod_away()
    {
        var pod = Pod("db-1", Affinity("podAntiAffinity", $$"""{"topologyKey":"host",{{Db}}}"""), "a");
        Assert.Equal("a c d", Names(Evaluate(pod, _nodes, pod, Pod("db-2", node: "b"))));
    }

    [Theory]
    [InlineData("""{"maxSkew":1,"topologyKey":"zone"}""", "c")]
    [InlineData("""{"maxSkew":2,"topologyKey":"zone"}""", "c")]
    [InlineData("""{"maxSkew":3,"topologyKey":"zone"}""", "a b c")]
    [InlineData("""{"maxSkew":1,"topologyKey":"host"}""", "c d")]
    [InlineData("""{"maxSkew":1,"topologyKey":"zone"},{"maxSkew":2,"topologyKey":"host"}""", "c")]
    [InlineData("""{"maxSkew":1,"topologyKey":"zone","minDomains":3}""", "c")]
    [InlineData("""{"maxSkew":1,"topologyKey":"zone","whenUnsatisfiable":"ScheduleAnyway"}""", "a b c d")]
    [InlineData("""{"maxSkew":1,"topologyKey":"zone","matchLabelKeys":["app","none"]}""", "c")]
    public void Spread(string constraints, string names) => Assert.Equal(
        names, Names(Evaluate(Pod("db", Spreading(constraints)), _nodes, Pod("db-1", node: "a"), Pod("db-2", node: "b"), Pod("db-3", node: "c", ns: "other"))));

    [Fact]
    public void Domains_that_are_missing_are_empty_ones()
    {
        var pods = new[] { Pod("db-1", node: "a"), Pod("db-2", node: "c") };
        Assert.Equal("a b c", Names(Evaluate(Pod("db", Spreading("""{"maxSkew":1,"topologyKey":"zone"}""")), _nodes, pods)));
        Assert.Equal("", Names(Evaluate(Pod("db", Spreading("""{"maxSkew":1,"topologyKey":"zone","minDomains":3}""")), _nodes, pods)));
    }

    [Fact]
    public void Pods_that_go_away_are_not_spread()
    {
        var leaving = Pod("db-1", node: "a");
        leaving.Metadata.DeletionTimestamp = DateTime.UnixEpoch;
        Assert.Equal("a b c", Names(Evaluate(Pod("db", Spreading("""{"maxSkew":1,"topologyKey":"zone"}""")), _nodes, leaving)));
    }

    [Theory]
    [InlineData("""{"maxSkew":1,"topologyKey":"zone"}""", "", "a b")]
    [InlineData("""{"maxSkew":1,"topologyKey":"zone","nodeAffinityPolicy":"Ignore"}""", "", "")]
    [InlineData("""{"maxSkew":1,"topologyKey":"zone"}""", "taint", "")]
    [InlineData("""{"maxSkew":1,"topologyKey":"zone","nodeTaintsPolicy":"Honor"}""", "taint", "a b")]
    public void Policies_say_which_nodes_count(string constraint, string how, string names)
    {
        var pod = Pod("db", Spreading(constraint));
        if (how.Length == 0)
        {
            pod.Spec.NodeSelector = new Dictionary<string, string> { ["zone"] = "z1" };
        }

        var taints = how.Length == 0 ? "{}" : """{"taints":[{"key":"k","effect":"NoSchedule"}]}""";
        Assert.Equal(
            names,
            Names(Evaluate(pod, [Node("a"), Node("b"), Node("c", "z2", taints)], Pod("db-1", node: "a"))));
    }

    [Fact]
    public void Obstacles_say_what_is_wrong_with_the_spread()
    {
        var fits = Evaluate(Pod("db", Spreading("""{"maxSkew":1,"topologyKey":"zone"}""")), _nodes, Pod("db-1", node: "a"));
        Assert.Equal(
            [
                "node a didn't match pod topology spread constraints (zone=z1 would have 2, the least is 0, maxSkew 1)",
                "node b didn't match pod topology spread constraints (zone=z1 would have 2, the least is 0, maxSkew 1)",
                "",
                "node d didn't match pod topology spread constraints (missing required label zone)",
            ],
            fits.Select(f => f.Obstacle));
    }

    private static string Affinity(string kind, string terms) =>
        $$$$"""{"affinity":{"{{{{kind}}}}":{"requiredDuringSchedulingIgnoredDuringExecution":[{{{{terms}}}}]}}}""";

    private static string Spreading(string constraints)
    {
        var spec = Read<V1PodSpec>($$"""{"topologySpreadConstraints":[{{constraints}}]}""");
        foreach (var constraint in spec.TopologySpreadConstraints)
        {
            constraint.WhenUnsatisfiable ??= "DoNotSchedule";
            constraint.LabelSelector = new() { MatchLabels = new Dictionary<string, string> { ["app"] = "db" } };
        }

        return k8s.KubernetesJson.Serialize(spec);
    }
}
