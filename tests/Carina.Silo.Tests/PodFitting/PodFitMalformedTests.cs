using System.Text.Json.Nodes;
using CsCheck;
using k8s;
using k8s.Models;
using static Carina.Silo.Tests.PodFitting.Fits;

namespace Carina.Silo.Tests.PodFitting;

/// <summary>Objects that no API server would have let in, but whoever reads them must live with.</summary>
public sealed class PodFitMalformedTests
{
    private const string Bad = """{"topologyKey":"zone","labelSelector":{"matchExpressions":[{"key":"app","operator":"Like","values":["x"]}]}}""";

    [Theory]
    [InlineData($$$$"""{"affinity":{"podAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{{{{Bad}}}}]}}}""", "spec.affinity.podAffinity")]
    [InlineData($$$$"""{"affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{{{{Bad}}}}]}}}""", "spec.affinity.podAntiAffinity")]
    [InlineData("""{"topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"zone","whenUnsatisfiable":"DoNotSchedule","labelSelector":{"matchExpressions":[{"key":"app","operator":"Gt","values":["1"]}]}}]}""", "spec.topologySpreadConstraints")]
    public void A_malformed_selector_fits_nowhere(string pod, string field)
    {
        var fits = Evaluate(Pod("p", pod), [Node("a"), Node("b")], Pod("x", node: "a"));
        Assert.Equal(
            [.. new[] { "a", "b" }.Select(n => $"node {n} can't be judged: a selector in {field} of pod ns/p is malformed")],
            fits.Select(f => f.Obstacle));
    }

    [Fact]
    public void Malformed_wishes_say_nothing()
    {
        var preferred = $$"""[{"weight":5,"podAffinityTerm":{{Bad}}}]""";
        var pod = Pod("p", $$$$"""{"affinity":{"podAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":{{{{preferred}}}}}}}""");
        var there = Pod("x", $$$$"""{"affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{{{{Bad}}}}]}}}""", "a");
        Assert.Equal("a b", Names(Evaluate(pod, [Node("a"), Node("b")], there)));
    }

    [Fact]
    public void Empty_objects_are_no_trouble() =>
        Assert.Equal(["node a was not ready (it never said so)"], Evaluate(
            new(), [new(), null!, new() { Metadata = new() { Name = "a" } }], new V1Pod(), null!).Select(f => f.Obstacle));

    // Takes pods and nodes that use everything, and cuts parts out.
    [Fact]
    public void Whatever_is_missing_an_answer_comes_for_every_node() => Gen.Int.Sample(
        seed =>
        {
            var random = new Random(seed);
            var pods = new RandomPods(random, ["ns", "other"]);
            var there = Enumerable.Range(0, 4).Select(i =>
            {
                var pod = pods.Next($"p{i}");
                pod.Spec.NodeName = "a";
                return Damage(pod, random);
            }).ToArray();
            var node = Damage(Node("a", spec: """{"taints":[{"key":"team","value":"red","effect":"NoSchedule"}]}"""), random);
            Assert.Equal(
                node.Metadata?.Name is { Length: > 0 } ? 2 : 1,
                Evaluate(Damage(pods.Next("p"), random), [node, Node("b")], there).Count);
        },
        iter: 3_000);

    private static T Damage<T>(T value, Random random)
    {
        var json = JsonNode.Parse(KubernetesJson.Serialize(value))!;
        for (var i = random.Next(4); i > 0; i--)
        {
            Cut(json, random);
        }

        return KubernetesJson.Deserialize<T>(json.ToJsonString());
    }

    private static void Cut(JsonNode node, Random random)
    {
        while (true)
        {
            switch (node)
            {
                case JsonObject { Count: > 0 } parent:
                    var key = parent.ElementAt(random.Next(parent.Count)).Key;
                    if (parent[key] is (JsonObject or JsonArray) and { } inner && random.Next(4) > 0)
                    {
                        node = inner;
                        continue;
                    }

                    // Numbers that must be there are no reference that could be missing.
                    if (parent[key] is not JsonValue number || number.GetValueKind() != System.Text.Json.JsonValueKind.Number)
                    {
                        parent[key] = null;
                    }

                    return;
                case JsonArray { Count: > 0 } list:
                    var index = random.Next(list.Count);
                    if (list[index] is { } item and (JsonObject or JsonArray) && random.Next(4) > 0)
                    {
                        node = item;
                        continue;
                    }

                    list[index] = null;
                    return;
                default:
                    return;
            }
        }
    }
}
