using Carina.Grains.Volumes;
using Mode = Csi.V1.VolumeCapability.Types.AccessMode.Types.Mode;

namespace Carina.CsiGateway.Validation;

/// <summary>A volume capability after it passed the door.</summary>
internal sealed record RequestedAccess
{
    public required VolumeAccess Access { get; init; }

    public required Mode Mode { get; init; }

    /// <summary>File system in lower case; empty when none was named, and for block volumes.</summary>
    public string FileSystem { get; init; } = "";

    public IReadOnlyList<string> MountFlags { get; init; } = [];

    /// <summary>Numeric group for the root of the file system; null when none was named.</summary>
    public uint? MountGroup { get; init; }

    public bool ReadOnly => Mode is Mode.SingleNodeReaderOnly;

    /// <summary>True when the volume may appear at one target only.</summary>
    public bool Exclusive => Mode is Mode.SingleNodeSingleWriter;
}
