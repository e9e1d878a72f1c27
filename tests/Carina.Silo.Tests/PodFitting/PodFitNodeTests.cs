using Carina.Kubernetes.PodFit;
using k8s.Models;
using static Carina.Silo.Tests.PodFitting.Fits;

namespace Carina.Silo.Tests.PodFitting;

/// <summary>What a node is, and what a pod asks of it.</summary>
public sealed class PodFitNodeTests
{
    [Theory]
    [InlineData("{}", "{}", "")]
    [InlineData("""{"unschedulable":true}""", "{}", "node n was unschedulable")]
    [InlineData("""{"unschedulable":true}""", """{"tolerations":[{"key":"node.kubernetes.io/unschedulable","operator":"Exists"}]}""", "")]
    [InlineData("""{"taints":[{"key":"k","value":"v","effect":"NoSchedule"}]}""", "{}", "node n had untolerated taint {k=v:NoSchedule}")]
    [InlineData("""{"taints":[{"key":"k","effect":"NoExecute"}]}""", "{}", "node n had untolerated taint {k:NoExecute}")]
    [InlineData("""{"taints":[{"key":"k","effect":"PreferNoSchedule"}]}""", "{}", "")]
    [InlineData("""{"taints":[{"key":"k","value":"v","effect":"NoSchedule"}]}""", """{"tolerations":[{"key":"k","value":"v"}]}""", "")]
    [InlineData("""{"taints":[{"key":"k","value":"v","effect":"NoSchedule"}]}""", """{"tolerations":[{"key":"k","operator":"Equal","value":"w"}]}""", "node n had untolerated taint {k=v:NoSchedule}")]
    [InlineData("""{"taints":[{"key":"k","value":"v","effect":"NoSchedule"}]}""", """{"tolerations":[{"key":"k","operator":"Exists","effect":"NoExecute"}]}""", "node n had untolerated taint {k=v:NoSchedule}")]
    [InlineData("""{"taints":[{"key":"k","value":"v","effect":"NoSchedule"}]}""", """{"tolerations":[{"operator":"Exists","effect":"NoSchedule"}]}""", "")]
    [InlineData("""{"taints":[{"key":"k","value":"5","effect":"NoSchedule"}]}""", """{"tolerations":[{"key":"k","operator":"Gt","value":"1"}]}""", "node n had untolerated taint {k=5:NoSchedule}")]
    [InlineData("""{"taints":[{"key":"a","effect":"NoSchedule"},{"key":"b","effect":"NoSchedule"}]}""", """{"tolerations":[{"key":"a","operator":"Exists"}]}""", "node n had untolerated taint {b:NoSchedule}")]
    public void Cordons_and_taints(string node, string pod, string obstacle) =>
        Assert.Equal(obstacle, Obstacle(Pod("p", pod), Node("n", spec: node)));

    [Theory]
    [InlineData("True", "")]
    [InlineData("False", "node n was not ready (said by a test)")]
    [InlineData("Unknown", "node n was not ready (said by a test)")]
    public void A_node_must_be_ready_whatever_the_pod_tolerates(string status, string obstacle)
    {
        var node = Node("n");
        node.Status.Conditions = [new() { Type = "Ready", Status = status, Reason = "said by a test" }];
        Assert.Equal(obstacle, Obstacle(Pod("p", """{"tolerations":[{"operator":"Exists"}]}"""), node));
    }

    [Fact]
    public void A_node_that_goes_away_or_never_said_that_it_is_ready_or_is_excluded_is_none()
    {
        var leaving = Node("leaving");
        leaving.Metadata.DeletionTimestamp = DateTime.UnixEpoch;
        var silent = Node("silent");
        silent.Status.Conditions = null;
        var fits = PodFit.Evaluate(
            Pod("p"), new([leaving, silent, Node("old"), Node("n")], [], new Dictionary<string, IReadOnlyDictionary<string, string>>()), [], new HashSet<string> { "old" });
        Assert.Equal(
            [
                "node leaving was being deleted",
                "node silent was not ready (it never said so)",
                "node old was excluded",
                "",
            ],
            fits.Select(f => f.Obstacle));
    }

    [Theory]
    [InlineData("""{"key":"gen","operator":"In","values":["5","6"]}""", true)]
    [InlineData("""{"key":"gen","operator":"NotIn","values":["5"]}""", false)]
    [InlineData("""{"key":"none","operator":"NotIn","values":["5"]}""", true)]
    [InlineData("""{"key":"gen","operator":"Exists"}""", true)]
    [InlineData("""{"key":"gen","operator":"DoesNotExist"}""", false)]
    [InlineData("""{"key":"gen","operator":"Gt","values":["4"]}""", true)]
    [InlineData("""{"key":"gen","operator":"Gt","values":["5"]}""", false)]
    [InlineData("""{"key":"gen","operator":"Lt","values":["10"]}""", true)]
    [InlineData("""{"key":"gen","operator":"Lt","values":["ten"]}""", false)]
    [InlineData("""{"key":"host","operator":"Gt","values":["4"]}""", false)]
    [InlineData("""{"key":"gen","operator":"In"}""", false)]
    [InlineData("""{"key":"gen","operator":"Near","values":["4"]}""", false)]
    public void Requirements_of_nodes(string requirement, bool fits)
    {
        var node = Node("n", labels: """{"gen":"5"}""");
        Assert.Equal(
            fits ? "" : "node n didn't match Pod's node affinity/selector",
            Obstacle(Pod("p", Affinity($$"""{"matchExpressions":[{{requirement}}]}""")), node));

        var volume = Read<V1NodeSelector>($$"""{"nodeSelectorTerms":[{"matchExpressions":[{{requirement}}]}]}""");
        var all = Read<V1NodeSelector>("""{"nodeSelectorTerms":[{"matchExpressions":[{"key":"host","operator":"Exists"}]}]}""");
        var fit = PodFit.Evaluate(
            Pod("p"), new([node], [], new Dictionary<string, IReadOnlyDictionary<string, string>>()), [all, volume], new HashSet<string>());
        Assert.Equal(fits ? "" : "node n had volume node affinity conflict", fit[0].Obstacle);
    }

    [Theory]
    [InlineData("{}", "")]
    [InlineData("""{"matchFields":[{"key":"metadata.name","operator":"In","values":["a"]}]}""", "a")]
    [InlineData("""{"matchFields":[{"key":"metadata.name","operator":"NotIn","values":["a"]}]}""", "b c")]
    [InlineData("""{"matchFields":[{"key":"metadata.name","operator":"In","values":["a","b"]}]}""", "")]
    [InlineData("""{"matchFields":[{"key":"metadata.name","operator":"NotIn","values":["a"]}],"matchExpressions":[{"key":"zone","operator":"In","values":["z1"]}]}""", "b")]
    [InlineData("""{},{"matchExpressions":[{"key":"zone","operator":"In","values":["z2"]}]}""", "c")]
    [InlineData("""{"matchExpressions":[{"key":"host","operator":"In","values":["a"]}]},{"matchExpressions":[{"key":"zone","operator":"In","values":["z2"]}]}""", "a c")]
    public void One_of_the_terms_must_match_and_an_empty_one_does_not(string terms, string names) =>
        Assert.Equal(names, Names(Evaluate(Pod("p", Affinity(terms)), [Node("a"), Node("b"), Node("c", "z2")])));

    [Fact]
    public void The_node_selector_must_match_too()
    {
        var pod = Pod("p", Affinity("""{"matchExpressions":[{"key":"zone","operator":"Exists"}]}"""));
        pod.Spec.NodeSelector = new Dictionary<string, string> { ["host"] = "b" };
        Assert.Equal("b", Names(Evaluate(pod, [Node("a"), Node("b")])));
    }

    private static string Affinity(string terms) =>
        $$$$$"""{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{{{{{terms}}}}}]}}}}""";
}
