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
        var number = NumberOf(name) is { } direct && HasName(direct, name) ? direct : Search(name);
        return number is { } found && BelongsTo(found, groupUuid) ? Describe(found, name) : null;
    }

    /// <summary>Active logical volumes of this name, in any volume group; looks at every mapped device.</summary>
    /// <param name="allows">Which of the devices below one, by path, may be ours.</param>
    public static VolumeDevice? FindAnywhere(string volume, Func<string, bool> allows)
    {
        foreach (var device in MappedDevices())
        {
            if (BlockDeviceNode.ReadSysfs(device, "dm/name") is { } name
                && name.EndsWith("-" + Escape(volume), StringComparison.Ordinal)
                && Split(name)?.Volume == volume
                && IsLvm(device)
                && Slaves(device).All(allows))
            {
                return Describe(device, name);
            }
        }

        return null;
    }

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

    private static DeviceNumber? Search(string name) =>
        MappedDevices().Where(device => HasName(device, name)).Select(device => (DeviceNumber?)device).FirstOrDefault();

    private static IEnumerable<DeviceNumber> MappedDevices() =>
        Directory.EnumerateDirectories("/sys/block", "dm-*").Select(ReadNumber).OfType<DeviceNumber>();

    private static bool HasName(DeviceNumber device, string name) => BlockDeviceNode.ReadSysfs(device, "dm/name") == name;

    private static bool IsLvm(DeviceNumber device) =>
        BlockDeviceNode.ReadSysfs(device, "dm/uuid")?.StartsWith(LvmUuid, StringComparison.Ordinal) == true;

    private static bool BelongsTo(DeviceNumber device, string groupUuid) =>
        BlockDeviceNode.ReadSysfs(device, "dm/uuid")
            ?.StartsWith(LvmUuid + groupUuid.Replace("-", "", StringComparison.Ordinal), StringComparison.Ordinal) == true;

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
