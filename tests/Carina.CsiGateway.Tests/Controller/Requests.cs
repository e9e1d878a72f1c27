using Csi.V1;
using Mode = Csi.V1.VolumeCapability.Types.AccessMode.Types.Mode;

namespace Carina.CsiGateway.Tests.Controller;

/// <summary>Requests that are right in every respect, for tests to break in one.</summary>
internal static class Requests
{
    public const long GiB = 1L << 30;

    public static VolumeCapability Mount(
        string fileSystem = "", Mode mode = Mode.SingleNodeWriter, params string[] flags) => new()
        {
            Mount = new() { FsType = fileSystem, MountFlags = { flags } },
            AccessMode = new() { Mode = mode },
        };

    public static VolumeCapability Block(Mode mode = Mode.SingleNodeWriter) => new()
    {
        Block = new(),
        AccessMode = new() { Mode = mode },
    };

    public static CreateVolumeRequest Create(string name = "pvc-1") => new()
    {
        Name = name,
        CapacityRange = new() { RequiredBytes = GiB },
        VolumeCapabilities = { Mount("ext4") },
        Parameters = { ["carina.storage.io/disk-group-name"] = "carina-lvm" },
    };
}
