using System.Collections.Immutable;
using Carina.Kubernetes.PodFit;
using k8s;
using k8s.Models;

namespace Carina.Silo.Tests.PodFitting;

/// <summary>Short ways to write nodes, pods and answers. Objects are JSON, as in Kubernetes.</summary>
internal static class Fits
{
    private static readonly Dictionary<string, IReadOnlyDictionary<string, string>> _namespaces = new()
    {
        ["ns"] = new Dictionary<string, string> { ["team"] = "red" },
        ["other"] = new Dictionary<string, string> { ["team"] = "blue" },
    };

    /// <summary>A node that is ready, in a zone, with room; with more of a spec, labels and allocatable.</summary>
    public static V1Node Node(string name, string zone = "z1", string spec = "{}", string labels = "{}", string allocatable = "{}")
    {
        var node = new V1Node
        {
            Metadata = new()
            {
                Name = name,
                Labels = new Dictionary<string, string> { ["host"] = name },
            },
            Spec = Read<V1NodeSpec>(spec),
            Status = new()
            {
                Allocatable = new Dictionary<string, ResourceQuantity>
                {
                    ["cpu"] = new("4"),
                    ["memory"] = new("8Gi"),
                    ["pods"] = new("10"),
                },
                Conditions = [new() { Type = "Ready", Status = "True" }],
            },
        };
        if (zone.Length > 0)
        {
            node.Metadata.Labels["zone"] = zone;
        }

        foreach (var (key, value) in Read<Dictionary<string, string>>(labels))
        {
            node.Metadata.Labels[key] = value;
        }

        foreach (var (key, value) in Read<Dictionary<string, string>>(allocatable))
        {
            node.Status.Allocatable[key] = new(value);
        }

        return node;
    }

    /// <summary>A pod with the label app=NAME without what follows a dash.</summary>
    public static V1Pod Pod(string name, string spec = "{}", string node = "", string ns = "ns")
    {
        var pod = new V1Pod
        {
            Metadata = new()
            {
                Name = name,
                NamespaceProperty = ns,
                Uid = $"{ns}/{name}",
                Labels = new Dictionary<string, string> { ["app"] = name.Split('-')[0] },
            },
            Spec = Read<V1PodSpec>(spec),
        };
        pod.Spec.NodeName = node.Length > 0 ? node : null;
        return pod;
    }

    public static string Requests(string cpu) => $$$$"""{"resources":{"requests":{"cpu":"{{{{cpu}}}}"}}}""";

    public static IReadOnlyList<NodeFit> Evaluate(V1Pod pod, IReadOnlyList<V1Node> nodes, params V1Pod[] pods) =>
        PodFit.Evaluate(pod, new(nodes, pods, _namespaces), [], ImmutableHashSet<string>.Empty);

    /// <summary>The names of the nodes that it fits on.</summary>
    public static string Names(IReadOnlyList<NodeFit> fits) => string.Join(' ', fits.Where(f => f.Fits).Select(f => f.NodeName));

    /// <summary>What is in the way on the only node.</summary>
    public static string Obstacle(V1Pod pod, V1Node node, params V1Pod[] pods) => Assert.Single(Evaluate(pod, [node], pods)).Obstacle;

    public static T Read<T>(string json) => KubernetesJson.Deserialize<T>(json);
}
