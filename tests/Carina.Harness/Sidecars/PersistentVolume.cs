using Csi.V1;

namespace Carina.Harness.Sidecars;

/// <summary>A PersistentVolume as the provisioner writes it after CreateVolume.</summary>
public sealed record PersistentVolume
{
    public required VolumeRequest Request { get; init; }

    /// <summary>The CSI volume handle.</summary>
    public required string Handle { get; init; }

    /// <summary>Capacity in bytes, as the driver answered.</summary>
    public required long Bytes { get; init; }

    /// <summary>Volume attributes.</summary>
    public required IReadOnlyDictionary<string, string> Attributes { get; init; }

    /// <summary>The node in its node affinity.</summary>
    public required string Node { get; init; }

    public string Name => Request.Name;

    /// <summary>The capability that sidecars and kubelet derive from the volume.</summary>
    public VolumeCapability Capability => ToCapability(Request);

    /// <summary>
    /// ReadWriteOnce becomes SINGLE_NODE_MULTI_WRITER for a driver that knows the newer modes
    /// (external-provisioner since 3.0, kubelet since 1.22).
    /// </summary>
    public static VolumeCapability ToCapability(VolumeRequest request)
    {
        var capability = new VolumeCapability
        {
            AccessMode = new() { Mode = VolumeCapability.Types.AccessMode.Types.Mode.SingleNodeMultiWriter },
        };
        if (request.Block)
        {
            capability.Block = new();
        }
        else
        {
            capability.Mount = new() { FsType = request.FileSystem, MountFlags = { request.MountOptions } };
        }

        return capability;
    }
}
