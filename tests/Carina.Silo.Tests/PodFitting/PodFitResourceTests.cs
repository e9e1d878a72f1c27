using k8s.Models;
using static Carina.Silo.Tests.PodFitting.Fits;

namespace Carina.Silo.Tests.PodFitting;

/// <summary>What is left of a node.</summary>
public sealed class PodFitResourceTests
{
    [Theory]
    [InlineData("""{"containers":[{"resources":{"requests":{"cpu":"1"}}}]}""", "")]
    [InlineData("""{"containers":[{"resources":{"requests":{"cpu":"1001m"}}}]}""", "node n had insufficient cpu (1.001 requested, 3 of 4 in use)")]
    [InlineData("""{"containers":[{"resources":{"requests":{"cpu":"0.6"}}},{"resources":{"requests":{"cpu":"0.5"}}}]}""", "node n had insufficient cpu (1.1 requested, 3 of 4 in use)")]
    [InlineData("""{"containers":[{"resources":{"requests":{"cpu":"0.5"}}}],"initContainers":[{"resources":{"requests":{"cpu":"2"}}}]}""", "node n had insufficient cpu (2 requested, 3 of 4 in use)")]
    [InlineData("""{"containers":[{"resources":{"requests":{"cpu":"0.5"}}}],"initContainers":[{"resources":{"requests":{"cpu":"1"}}},{"resources":{"requests":{"cpu":"1"}}}]}""", "")]
    [InlineData("""{"containers":[{"resources":{"requests":{"cpu":"0.5"}}}],"initContainers":[{"restartPolicy":"Always","resources":{"requests":{"cpu":"0.6"}}}]}""", "node n had insufficient cpu (1.1 requested, 3 of 4 in use)")]
    [InlineData("""{"initContainers":[{"restartPolicy":"Always","resources":{"requests":{"cpu":"0.6"}}},{"resources":{"requests":{"cpu":"0.5"}}}]}""", "node n had insufficient cpu (1.1 requested, 3 of 4 in use)")]
    [InlineData("""{"initContainers":[{"resources":{"requests":{"cpu":"0.5"}}},{"restartPolicy":"Always","resources":{"requests":{"cpu":"0.6"}}}]}""", "")]
    [InlineData("""{"containers":[{"resources":{"requests":{"cpu":"1"}}}],"overhead":{"cpu":"1m"}}""", "node n had insufficient cpu (1.001 requested, 3 of 4 in use)")]
    [InlineData("""{"containers":[{"resources":{"requests":{"cpu":"3"}}}],"resources":{"requests":{"cpu":"1"}}}""", "")]
    [InlineData("""{"containers":[{"resources":{"requests":{"memory":"9Gi","cpu":"2"}}}]}""", "node n had insufficient cpu (2 requested, 3 of 4 in use), insufficient memory (9663676416 requested, 0 of 8589934592 in use)")]
    [InlineData("""{"containers":[{"resources":{"requests":{"example.com/gpu":"1"}}}]}""", "node n had insufficient example.com/gpu (1 requested, 0 of 0 in use)")]
    [InlineData("""{"containers":[{"resources":{"requests":{"ephemeral-storage":"1"}}}]}""", "node n had insufficient ephemeral-storage (1 requested, 0 of 0 in use)")]
    [InlineData("""{"containers":[{"resources":{"requests":{"hugepages-2Mi":"2Mi"}}}]}""", "node n had insufficient hugepages-2Mi (2097152 requested, 0 of 0 in use)")]
    [InlineData("""{"containers":[{"resources":{"requests":{"carina.storage.io/carina-vg-ssd":"7"}}}]}""", "")]
    [InlineData("""{"containers":[{"resources":{"requests":{"apples":"7"}}}]}""", "")]
    [InlineData("""{"containers":[{"name":"c","resources":{"requests":{"memory":"-1"}}}]}""", "node n can't be judged: spec.containers[c].resources.requests[memory] of pod ns/p is no amount")]
    [InlineData("""{"containers":[{"name":"c","resources":{"requests":{"cpu":"1e40"}}}]}""", "node n can't be judged: spec.containers[c].resources.requests[cpu] of pod ns/p is no amount")]
    public void Requests_against_what_is_left(string pod, string obstacle) =>
        Assert.Equal(obstacle, Obstacle(Pod("p", pod), Node("n"), Pod("there", $$"""{"containers":[{{Requests("3")}}]}""", "n")));

    [Fact]
    public void Only_pods_that_are_there_take_room()
    {
        var whole = $$"""{"containers":[{{Requests("4")}}]}""";
        var wanted = Pod("p", whole);
        Assert.Equal("", Obstacle(wanted, Node("n"), Pod("p", whole, "n"), Pod("far", whole, "other"), Pod("nowhere", whole)));
        foreach (var phase in (string[])["Succeeded", "Failed"])
        {
            var over = Pod("over", whole, "n");
            over.Status = new() { Phase = phase };
            Assert.Equal("", Obstacle(wanted, Node("n"), over));
        }

        var leaving = Pod("leaving", whole, "n");
        leaving.Metadata.DeletionTimestamp = DateTime.UnixEpoch;
        Assert.NotEqual("", Obstacle(wanted, Node("n"), leaving));

        var promised = Pod("promised", whole);
        promised.Status = new() { NominatedNodeName = "n" };
        Assert.NotEqual("", Obstacle(wanted, Node("n"), promised));
        promised.Spec.Priority = -1;
        Assert.Equal("", Obstacle(wanted, Node("n"), promised));
    }

    [Theory]
    [InlineData("", "3")]
    [InlineData("Infeasible", "2")]
    public void A_pod_that_is_resized_takes_the_most_of_what_it_wants_and_has(string reason, string used)
    {
        var there = Pod("there", $$"""{"containers":[{{Requests("3")}}]}""", "n");
        there.Status = Read<V1PodStatus>($$$"""
            {"containerStatuses":[{"resources":{"requests":{"cpu":"2"}},"allocatedResources":{"cpu":"1"}}],
             "conditions":[{"type":"PodResizePending","status":"True","reason":"{{{reason}}}"}]}
            """);
        Assert.Equal(
            $"node n had insufficient cpu (4 requested, {used} of 4 in use)",
            Obstacle(Pod("p", $$"""{"containers":[{{Requests("4")}}]}"""), Node("n"), there));
    }

    [Fact]
    public void Pods_are_counted()
    {
        var node = Node("n", allocatable: """{"pods":"2"}""");
        Assert.Equal("", Obstacle(Pod("p"), node, Pod("a", node: "n")));
        Assert.Equal("node n had too many pods (2 of 2)", Obstacle(Pod("p"), node, Pod("a", node: "n"), Pod("b", node: "n")));
        node.Status.Allocatable.Remove("pods");
        Assert.Equal("node n had too many pods (0 of 0)", Obstacle(Pod("p"), node));
    }

    [Fact]
    public void Malformed_amounts_of_others_are_named()
    {
        var wanted = Pod("p", $$"""{"containers":[{{Requests("1")}}]}""");
        Assert.Equal(
            "node n can't be judged: its status.allocatable[memory] is no amount",
            Obstacle(wanted, Node("n", allocatable: """{"memory":"-1"}""")));
        Assert.Equal(
            "node n can't be judged: its status.allocatable[pods] is no amount",
            Obstacle(wanted, Node("n", allocatable: """{"pods":"-1"}""")));
        Assert.Equal(
            "node n can't be judged: spec.overhead[cpu] of pod ns/there there is no amount",
            Obstacle(wanted, Node("n"), Pod("there", """{"overhead":{"cpu":"-1"}}""", "n")));
    }

    [Theory]
    [InlineData("""{"hostPort":80}""", """{"hostPort":80}""", "TCP 80")]
    [InlineData("""{"hostPort":80}""", """{"hostPort":81}""", "")]
    [InlineData("""{"hostPort":80}""", """{"hostPort":80,"protocol":"UDP"}""", "")]
    [InlineData("""{"hostPort":80,"hostIP":"10.0.0.1"}""", """{"hostPort":80,"hostIP":"10.0.0.2"}""", "")]
    [InlineData("""{"hostPort":80,"hostIP":"10.0.0.1"}""", """{"hostPort":80,"hostIP":"0.0.0.0","protocol":"TCP"}""", "TCP 80")]
    [InlineData("""{"hostPort":80}""", """{"hostPort":80,"hostIP":"10.0.0.2"}""", "TCP 80")]
    [InlineData("""{"containerPort":80}""", """{"containerPort":80}""", "")]
    public void Host_ports(string wanted, string taken, string collision)
    {
        var there = Pod("there", $$"""{"initContainers":[{"restartPolicy":"Always","ports":[{{taken}}]}]}""", "n");
        Assert.Equal(
            collision.Length == 0 ? "" : $"node n didn't have free ports for the requested pod ports ({collision} is taken by pod ns/there)",
            Obstacle(Pod("p", $$"""{"containers":[{"ports":[{{wanted}}]}]}"""), Node("n"), there));
    }

    [Fact]
    public void A_host_port_of_a_container_that_only_starts_the_pod_is_not_taken() =>
        Assert.Equal("", Obstacle(
            Pod("p", """{"containers":[{"ports":[{"hostPort":80}]}]}"""),
            Node("n"),
            Pod("there", """{"initContainers":[{"ports":[{"hostPort":80}]}]}""", "n")));
}
