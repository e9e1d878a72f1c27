namespace Carina.Silo.Mounting;

/// <summary>Where this node may mount volumes.</summary>
internal sealed class NodeVolumesOptions
{
    /// <summary>
    /// Staging and target paths must be below one of these. A root itself may be behind a symbolic link (some
    /// distributions move kubelet's directory), nothing below it may.
    /// </summary>
    public IReadOnlyList<string> AllowedRoots { get; init; } = ["/var/lib/kubelet"];

    /// <summary>Holds a mount for the moment in which it is made read-only; made if missing.</summary>
    public string ScratchDirectory { get; init; } = "/run/carina/mounts";
}
