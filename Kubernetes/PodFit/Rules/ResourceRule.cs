using System.Globalization;
using Carina.Kubernetes.PodFit.Cluster;

namespace Carina.Kubernetes.PodFit.Rules;

/// <summary>The node has left what the pod requests.</summary>
internal sealed class ResourceRule(Replacement replacement) : INodeRule
{
    private readonly Amounts _requested = PodRequests.OfNew(replacement.Pod);

    public string ObstacleOn(NodeView node)
    {
        if (_requested.MalformedField.Length > 0)
        {
            return $"can't be judged: {_requested.MalformedField} of pod {ObjectParts.Describe(replacement.Pod)} is no amount";
        }

        var pods = node.Pods.Concat(node.Nominated).ToList();
        if (!TryReadPodLimit(node, out var limit))
        {
            return "can't be judged: its status.allocatable[pods] is no amount";
        }

        if (pods.Count + 1 > limit)
        {
            return $"had too many pods ({pods.Count} of {Text(limit)})";
        }

        var wanted = _requested.Names.Where(n => Whole(_requested, n) > 0).Order(StringComparer.Ordinal).ToList();
        return wanted.Count == 0 ? "" : Compare(node, pods, wanted);
    }

    private string Compare(NodeView node, List<k8s.Models.V1Pod> pods, List<string> wanted)
    {
        var allocatable = Amounts.Read(node.Node.Status?.Allocatable, "status.allocatable");
        if (allocatable.MalformedField.Length > 0)
        {
            return $"can't be judged: its {allocatable.MalformedField} is no amount";
        }

        // Each pod's amounts are rounded up before they are summed, as kube-scheduler does.
        var used = new Amounts();
        foreach (var pod in pods)
        {
            var amounts = PodRequests.OfPlaced(pod);
            if (amounts.MalformedField.Length > 0)
            {
                return $"can't be judged: {amounts.MalformedField} of pod {ObjectParts.Describe(pod)} there is no amount";
            }

            foreach (var name in wanted)
            {
                used[name] += Whole(amounts, name);
            }
        }

        var missing = wanted
            .Where(n => Whole(_requested, n) > Whole(allocatable, n) - used[n])
            .Select(n => $"insufficient {n} ({Text(Whole(_requested, n))} requested, "
                + $"{Text(used[n])} of {Text(Whole(allocatable, n))} in use)")
            .ToList();
        return missing.Count == 0 ? "" : "had " + string.Join(", ", missing);
    }

    // Who does not say how many pods it takes, takes none.
    private static bool TryReadPodLimit(NodeView node, out decimal limit)
    {
        limit = 0;
        return node.Node.Status?.Allocatable is not { } allocatable
            || !allocatable.TryGetValue("pods", out var quantity)
            || Amounts.TryRead(quantity, out limit);
    }

    private static decimal Whole(Amounts amounts, string name) => Amounts.Whole(name, amounts[name]);

    private static string Text(decimal amount) => amount.ToString("0.###", CultureInfo.InvariantCulture);
}
