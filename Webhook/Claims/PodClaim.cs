using k8s.Models;

namespace Carina.Webhook.Claims;

/// <summary>What is known of a claim that a pod uses.</summary>
public enum ClaimState
{
    /// <summary>The claim exists.</summary>
    Existing,

    /// <summary>
    /// The claim does not exist yet, but what it will be is written down: in the pod (generic ephemeral volume) or in
    /// the StatefulSet that owns the pod.
    /// </summary>
    Expected,

    /// <summary>
    /// The claim does not exist, or the API server could not be asked. Whether Carina will provide its volume cannot be
    /// said; class and size are empty.
    /// </summary>
    Unknown,
}

/// <summary>A volume of a pod that Carina provides, or may provide (<see cref="ClaimState.Unknown"/>).</summary>
public sealed record PodClaim
{
    /// <summary>Name of the volume in the pod.</summary>
    public required string VolumeName { get; init; }

    /// <summary>Namespace of pod and claim.</summary>
    public required string Namespace { get; init; }

    /// <summary>
    /// Name of the claim. Empty for an ephemeral volume of a pod whose own name the API server has not made yet.
    /// </summary>
    public required string Name { get; init; }

    /// <summary>The claim's uid; null as long as it does not exist.</summary>
    public string? Uid { get; init; }

    public required ClaimState State { get; init; }

    /// <summary>The claim's class; null when it is not known, was deleted, or the volume was made by hand without one.</summary>
    public V1StorageClass? StorageClass { get; init; }

    /// <summary>
    /// The class' parameters under their present names (<see cref="ClassParameters"/>); without a class, what the
    /// bound volume says of itself.
    /// </summary>
    public IReadOnlyDictionary<string, string> Parameters { get; init; } = ClassParameters.None;

    /// <summary>The requested size, a part of a byte rounded up.</summary>
    public long RequestedBytes { get; init; }

    /// <summary><c>Filesystem</c> or <c>Block</c>.</summary>
    public string VolumeMode { get; init; } = "Filesystem";

    /// <summary>Name of the bound PersistentVolume; empty as long as there is none.</summary>
    public string PersistentVolume { get; init; } = "";

    /// <summary>The node that holds the bound volume; empty when the claim is not bound.</summary>
    public string Node { get; init; } = "";

    /// <summary>The node that the scheduler has chosen for the claim (<c>selected-node</c> annotation); empty when it has not.</summary>
    public string SelectedNode { get; init; } = "";
}
