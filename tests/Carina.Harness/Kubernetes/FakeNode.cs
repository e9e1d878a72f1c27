using k8s.Models;

namespace Carina.Harness.Kubernetes;

/// <summary>A Node object to make.</summary>
public sealed record FakeNode(string Name)
{
    /// <summary>Labels beside <c>kubernetes.io/hostname</c>, <c>kubernetes.io/os</c> and <c>kubernetes.io/arch</c>.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    /// <summary>Capacity, all of it allocatable.</summary>
    public IReadOnlyDictionary<string, string> Capacity { get; init; } =
        new Dictionary<string, string> { ["cpu"] = "8", ["memory"] = "32Gi", ["pods"] = "110" };

    /// <summary>CSI drivers of the node; kubelet would write them into a CSINode when a driver registers.</summary>
    public IReadOnlyList<V1CSINodeDriver> Drivers { get; init; } = [];

    /// <summary>
    /// Renews the node's lease, as a living kubelet does; otherwise the controller manager takes the node for dead
    /// after its grace period.
    /// </summary>
    public bool RenewsLease { get; init; } = true;
}
