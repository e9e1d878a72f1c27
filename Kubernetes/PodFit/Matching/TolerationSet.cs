using Carina.Kubernetes.PodFit.Cluster;
using k8s.Models;

namespace Carina.Kubernetes.PodFit.Matching;

/// <summary>The taints that a pod puts up with.</summary>
internal sealed class TolerationSet(IList<V1Toleration>? tolerations)
{
    public const string NoSchedule = "NoSchedule";
    public const string NoExecute = "NoExecute";
    public const string PreferNoSchedule = "PreferNoSchedule";

    private readonly List<V1Toleration> _tolerations = [.. tolerations.Items()];

    /// <summary>Whether any taint of the node keeps the pod away.</summary>
    public bool TolerateAll(NodeView node) => FirstUntolerated(node) is null;

    /// <summary>The first taint that keeps the pod away.</summary>
    public V1Taint? FirstUntolerated(NodeView node) => node.Node.Spec?.Taints.Items()
        .FirstOrDefault(t => t.Effect is NoSchedule or NoExecute && !Tolerates(t.Key, t.Value, t.Effect));

    /// <summary>How many taints would rather not have the pod.</summary>
    public int CountDisliked(NodeView node) => node.Node.Spec?.Taints.Items().Count(t =>
        t.Effect == PreferNoSchedule
        && !_tolerations.Exists(o => o.Effect is null or "" or PreferNoSchedule && Tolerates(o, t.Key, t.Value))) ?? 0;

    public bool Tolerates(string? key, string? value, string effect) =>
        _tolerations.Exists(t => (string.IsNullOrEmpty(t.Effect) || t.Effect == effect) && Tolerates(t, key, value));

    private static bool Tolerates(V1Toleration toleration, string? key, string? value) =>
        (string.IsNullOrEmpty(toleration.Key) || toleration.Key == key) && toleration.OperatorProperty switch
        {
            "Exists" => true,
            null or "" or "Equal" => (toleration.Value ?? "") == (value ?? ""),
            // Gt and Lt too: most clusters do not compare numbers, and then nothing is tolerated.
            _ => false,
        };
}
