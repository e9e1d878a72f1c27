using System.Globalization;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Csi.V1;
using Mode = Csi.V1.VolumeCapability.Types.AccessMode.Types.Mode;

namespace Carina.CsiGateway.Validation;

/// <summary>Volume capabilities: file system or block device, for one node.</summary>
internal static class CapabilityRules
{
    private const int MaxFileSystemChars = 32;

    /// <summary>Reads one capability.</summary>
    /// <param name="field">The field it came in.</param>
    /// <param name="capability">The capability; null when the caller gave none.</param>
    /// <param name="unsupported">Code for a well-formed wish that no local volume can fulfil.</param>
    public static RequestedAccess Read(
        string field, VolumeCapability? capability, StorageErrorCode unsupported = StorageErrorCode.InvalidArgument)
    {
        var access = ReadForm(field, capability);
        return FindObstacle(access) is { } obstacle
            ? throw new StorageException(unsupported, $"{field}.access_mode {obstacle}")
            : access;
    }

    /// <summary>Reads the capabilities of one volume, all of which it must have.</summary>
    public static RequestedAccess ReadAll(string field, IReadOnlyList<VolumeCapability> capabilities)
    {
        if (capabilities.Count == 0)
        {
            throw Refusal.Missing(field);
        }

        var all = capabilities.Select((capability, i) => Read($"{field}[{i}]", capability)).ToList();
        if (FindContradiction(all) is { } contradiction)
        {
            throw Refusal.Invalid(field, contradiction);
        }

        return all[0] with { FileSystem = all.Select(one => one.FileSystem).FirstOrDefault(fs => fs.Length > 0, "") };
    }

    /// <summary>Reads a capability's form only; whether it can be fulfilled is <see cref="FindObstacle"/>'s answer.</summary>
    public static RequestedAccess ReadForm(string field, VolumeCapability? capability)
    {
        if (capability is null)
        {
            throw Refusal.Missing(field);
        }

        var mode = capability.AccessMode?.Mode ?? Mode.Unknown;
        if (mode is Mode.Unknown || !Enum.IsDefined(mode))
        {
            throw Refusal.Invalid($"{field}.access_mode", "is missing or unknown; give SINGLE_NODE_WRITER, for example.");
        }

        return capability.AccessTypeCase switch
        {
            VolumeCapability.AccessTypeOneofCase.Block => new() { Access = VolumeAccess.Block, Mode = mode },
            VolumeCapability.AccessTypeOneofCase.Mount => ReadMount(field + ".mount", capability.Mount, mode),
            _ => throw Refusal.Invalid($"{field}.access_type", "is missing; say either block or mount."),
        };
    }

    /// <summary>Why a well-formed capability cannot be had from a local volume; null when it can.</summary>
    public static string? FindObstacle(RequestedAccess access) => access.Mode switch
    {
        Mode.SingleNodeWriter or Mode.SingleNodeReaderOnly or Mode.SingleNodeSingleWriter or Mode.SingleNodeMultiWriter
            => null,
        _ => $"{ModeName(access.Mode)} is not supported: a local volume can be used on one node only. "
            + "Ask for one of the SINGLE_NODE modes (ReadWriteOnce or ReadWriteOncePod in Kubernetes).",
    };

    /// <summary>Why capabilities cannot hold for one and the same volume; null when they can.</summary>
    public static string? FindContradiction(IReadOnlyCollection<RequestedAccess> all)
    {
        if (all.Select(one => one.Access).Distinct().Count() > 1)
        {
            return "asks for block and mount at once; a volume is one or the other.";
        }

        var fileSystems = all.Select(one => one.FileSystem).Where(fs => fs.Length > 0).Distinct().ToList();
        return fileSystems.Count > 1
            ? $"asks for several file systems ({string.Join(", ", fileSystems)}); a volume has one."
            : null;
    }

    /// <summary>Why an existing volume cannot be used this way; null when it can.</summary>
    public static string? FindMismatch(RequestedAccess access, VolumeRecord volume)
    {
        if (volume.Access is VolumeAccess.Unknown)
        {
            return null;
        }

        if (access.Access != volume.Access)
        {
            return $"asks for {Name(access.Access)}, but volume {volume.VolumeId} was made for {Name(volume.Access)}.";
        }

        return access.FileSystem.Length > 0 && volume.FileSystem.Length > 0 && access.FileSystem != volume.FileSystem
            ? $"asks for fs_type {access.FileSystem}, but volume {volume.VolumeId} has {volume.FileSystem}."
            : null;
    }

    private static RequestedAccess ReadMount(string field, VolumeCapability.Types.MountVolume mount, Mode mode)
    {
        var flags = mount.MountFlags;
        MountFlagRules.Check($"{field}.mount_flags", flags);
        if (mode is Mode.SingleNodeReaderOnly)
        {
            MountFlagRules.CheckReadOnly(
                $"{field}.mount_flags", flags, "the access mode is SINGLE_NODE_READER_ONLY");
        }

        return new()
        {
            Access = VolumeAccess.FileSystem,
            Mode = mode,
            FileSystem = ReadFileSystem($"{field}.fs_type", mount.FsType),
            MountFlags = [.. flags],
            MountGroup = ReadGroup($"{field}.volume_mount_group", mount.VolumeMountGroup),
        };
    }

    private static string ReadFileSystem(string field, string given)
    {
        var name = given.Length <= MaxFileSystemChars ? given.ToLowerInvariant() : given;
        return name.Length == 0 || FileSystems.IsKnown(name)
            ? name
            : throw Refusal.Invalid(
                field, $"{Refusal.Quote(given)} is not supported; known are {string.Join(", ", FileSystems.Known)}.");
    }

    // (gid_t)-1 means "leave it alone" to chown(2), so it cannot be a group.
    private static uint? ReadGroup(string field, string given)
    {
        if (given.Length == 0)
        {
            return null;
        }

        return uint.TryParse(given, NumberStyles.None, CultureInfo.InvariantCulture, out var group)
            && group != uint.MaxValue
            ? group
            : throw Refusal.Invalid(field, $"{Refusal.Quote(given)} is not a numeric group id (0 to 4294967294).");
    }

    private static string Name(VolumeAccess access) => access is VolumeAccess.Block ? "block" : "mount";

    private static string ModeName(Mode mode) => mode switch
    {
        Mode.MultiNodeReaderOnly => "MULTI_NODE_READER_ONLY",
        Mode.MultiNodeSingleWriter => "MULTI_NODE_SINGLE_WRITER",
        Mode.MultiNodeMultiWriter => "MULTI_NODE_MULTI_WRITER",
        _ => mode.ToString(),
    };
}
