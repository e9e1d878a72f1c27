using k8s.Models;
using static Carina.Silo.Tests.PodFitting.Fits;

namespace Carina.Silo.Tests.PodFitting;

/// <summary>Preferences choose among nodes that fit, and exclude none.</summary>
public sealed class PodFitScoreTests
{
    private const string Web = """{"topologyKey":"host","labelSelector":{"matchLabels":{"app":"web"}}}""";
    private static readonly V1Node[] _nodes = [Node("a"), Node("b", spec: """{"taints":[{"key":"k","effect":"PreferNoSchedule"}]}"""), Node("c", "z2")];

    [Theory]
    [InlineData("{}", "300 0 300")]
    [InlineData("""{"tolerations":[{"operator":"Exists"}]}""", "300 300 300")]
    [InlineData("""{"affinity":{"nodeAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":50,"preference":{"matchExpressions":[{"key":"zone","operator":"In","values":["z1"]}]}},{"weight":10,"preference":{"matchExpressions":[{"key":"zone","operator":"Exists"}]}}]}}}""", "500 200 332")]
    [InlineData($$$$"""{"affinity":{"podAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":5,"podAffinityTerm":{{{{Web}}}}}]}}}""", "300 0 500")]
    [InlineData($$$$"""{"affinity":{"podAntiAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":5,"podAffinityTerm":{{{{Web}}}}}]}}}""", "500 200 300")]
    [InlineData("""{"topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"host","whenUnsatisfiable":"ScheduleAnyway","labelSelector":{"matchLabels":{"app":"web"}}}]}""", "500 200 300")]
    public void Preferences_of_the_pod(string pod, string scores) =>
        Assert.Equal(scores, Scores(Pod("p", pod), Pod("web", node: "c")));

    [Theory]
    [InlineData("podAffinity", "300 0 500")]
    [InlineData("podAntiAffinity", "500 200 300")]
    public void Preferences_of_its_neighbours(string kind, string scores) => Assert.Equal(scores, Scores(
        Pod("web"),
        Pod("there", $$$$"""{"affinity":{"{{{{kind}}}}":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":5,"podAffinityTerm":{{{{Web}}}}}]}}}""", "c")));

    [Fact]
    public void What_does_not_fit_has_no_score()
    {
        var pod = Pod("p", """{"tolerations":[{"operator":"Exists"}]}""");
        pod.Spec.NodeSelector = new Dictionary<string, string> { ["zone"] = "z1" };
        Assert.Equal("300 300 0", Scores(pod));
    }

    private static string Scores(V1Pod pod, params V1Pod[] pods) =>
        string.Join(' ', Evaluate(pod, _nodes, pods).Select(f => f.PreferenceScore));
}
