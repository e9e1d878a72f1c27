using Carina.Silo.Linux;

namespace Carina.Silo.Backends.Lvm;

/// <summary>Finds active logical volumes by what the kernel says of its mapped devices; no process is started.</summary>
internal static class DeviceMapper
{
    private const string LvmUuid = "LVM-";

    /// <summary>The device of an active logical volume; null when it is not active.</summary>
    /// <param name="groupUuid">The volume group's uuid: another group of the same name may be active too.</param>
    public static VolumeDevice? Find(string group, string groupUuid, string volume)
    {
        var name = NameOf(group, volume);
        return FindByNode(group, groupUuid, volume)
            ?? MappedDevices().Where(device => HasName(device, name) && BelongsTo(device, groupUuid))
                .Select(device => Describe(device, name)).FirstOrDefault();
    }

    /// <summary>
    /// As <see cref="Find"/>, but only where the device has its usual node. A process that was killed while it activated
    /// a volume may have left the device without one.
    /// </summary>
    public static VolumeDevice? FindByNode(string group, string groupUuid, string volume)
    {
        var name = NameOf(group, volume);
        return NumberOf(name) is { } number && HasName(number, name) && BelongsTo(number, groupUuid)
            ? Describe(number, name)
            : null;
    }

    /// <summary>An active logical volume of this name; looks at every mapped device.</summary>
    /// <param name="isOurs">
    /// Decides by the volume group's name, its uuid as device-mapper has it (<c>LVM-</c> and 32 characters), and the paths
    /// of the devices below.
    /// </param>
    public static VolumeDevice? FindAnywhere(string volume, Func<string, string, IEnumerable<string>, bool> isOurs)
    {
        foreach (var device in MappedDevices())
        {
            if (BlockDeviceNode.ReadSysfs(device, "dm/name") is { } name
                && Split(name) is { } parts
                && parts.Volume == volume
                && BlockDeviceNode.ReadSysfs(device, "dm/uuid") is { } uuid
                && uuid.StartsWith(LvmUuid, StringComparison.Ordinal)
                && isOurs(parts.Group, uuid, Slaves(device)))
            {
                return Describe(device, name);
            }
        }

        return null;
    }

    /// <summary>What the uuids of a volume group's mapped devices begin with.</summary>
    public static string UuidPrefix(string groupUuid) => LvmUuid + groupUuid.Replace("-", "", StringComparison.Ordinal);

    /// <summary>Whether I/O to the device is held back, as it is while its table is being changed.</summary>
    public static bool IsSuspended(VolumeDevice device) =>
        BlockDeviceNode.ReadSysfs(new(device.Major, device.Minor), "dm/suspended") == "1";

    /// <summary>The name that LVM gives a volume's mapped device: hyphens within names are doubled.</summary>
    internal static string NameOf(string group, string volume) => $"{Escape(group)}-{Escape(volume)}";

    /// <summary>Group and volume of a mapped device's name; null when it has another form (layers have a suffix).</summary>
    internal static (string Group, string Volume)? Split(string name)
    {
        var parts = name.Replace("--", "\0", StringComparison.Ordinal).Split('-');
        return parts is [{ Length: > 0 } group, { Length: > 0 } volume]
            ? (group.Replace('\0', '-'), volume.Replace('\0', '-'))
            : null;
    }

    private static string Escape(string name) => name.Replace("-", "--", StringComparison.Ordinal);

    // With udev a link, without it a node.
    private static DeviceNumber? NumberOf(string name)
    {
        var path = "/dev/mapper/" + name;
        return new FileInfo(path).LinkTarget is { } target
            ? ReadNumber("/sys/class/block/" + Path.GetFileName(target))
            : BlockDeviceNode.NumberOf(path);
    }

    private static IEnumerable<DeviceNumber> MappedDevices() =>
        Directory.EnumerateDirectories("/sys/block", "dm-*").Select(ReadNumber).OfType<DeviceNumber>();

    private static bool HasName(DeviceNumber device, string name) => BlockDeviceNode.ReadSysfs(device, "dm/name") == name;

    private static bool BelongsTo(DeviceNumber device, string groupUuid) =>
        BlockDeviceNode.ReadSysfs(device, "dm/uuid")?.StartsWith(UuidPrefix(groupUuid), StringComparison.Ordinal) == true;

    private static IEnumerable<string> Slaves(DeviceNumber device) =>
        Directory.EnumerateFileSystemEntries(BlockDeviceNode.SysfsOf(device) + "/slaves").Select(s => "/dev/" + Path.GetFileName(s));

    private static DeviceNumber? ReadNumber(string sysfs)
    {
        try
        {
            return File.ReadAllText(sysfs + "/dev").Trim().Split(':') is [var major, var minor]
                && int.TryParse(major, out var ma) && int.TryParse(minor, out var mi)
                ? new DeviceNumber(ma, mi)
                : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static VolumeDevice Describe(DeviceNumber number, string name)
    {
        var path = $"/dev/dm-{number.Minor}";
        return new VolumeDevice(
            File.Exists(path) ? path : "/dev/mapper/" + name, number.Major, number.Minor, BlockDeviceNode.BytesOf(number));
    }
}
