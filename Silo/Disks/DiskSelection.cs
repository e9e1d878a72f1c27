using Carina.Grains.Configuration;
using Carina.Grains.Volumes;

namespace Carina.Silo.Disks;

/// <summary>What became of one device in the selection.</summary>
/// <param name="Device">The device.</param>
/// <param name="Group">The group that it belongs to; null when no group on this node matches.</param>
/// <param name="Refusal">Why it is not taken, for operators; empty when it is.</param>
internal sealed record SelectedDisk(BlockDevice Device, DiskGroup? Group, string Refusal)
{
    public bool IsTaken => Group is not null && Refusal.Length == 0;
}

/// <summary>
/// Decides which disks the groups of the configuration take: pure rules over what is known of the devices. Rules and
/// their order are Carina's ("Disk discovery" in its manual), without its accidents: a group without patterns takes
/// nothing, directory groups take no disks, and a disk that several groups match belongs to the first in the file.
/// </summary>
internal static class DiskSelection
{
    private static readonly string[] _refusedTypes = ["lvm", "crypt", "mpath", "rom"];
    private static readonly string[] _refusedNames = ["carina-", "cache"];
    private static readonly string[] _workingStates = ["", "running", "live", "connected"];

    /// <summary>What becomes of each device, in their order.</summary>
    /// <param name="nodeLabels">The node's labels; a group with a label key applies only where the key is present.</param>
    public static IReadOnlyList<SelectedDisk> Select(
        IReadOnlyList<DiskGroup> groups,
        IReadOnlyList<BlockDevice> devices,
        IReadOnlyDictionary<string, string> nodeLabels) =>
        [.. devices.Select(device => Judge(groups, device, nodeLabels))];

    /// <summary>The group that a device belongs to, whether or not it may be taken; null when none matches.</summary>
    public static DiskGroup? FindGroup(
        IReadOnlyList<DiskGroup> groups, BlockDevice device, IReadOnlyDictionary<string, string> nodeLabels) =>
        groups.FirstOrDefault(group =>
            group.Policy is PoolPolicy.Lvm or PoolPolicy.Raw
            && (group.NodeLabel.Length == 0 || nodeLabels.ContainsKey(group.NodeLabel))
            && (group.Rotational is null || group.Rotational == device.Rotational)
            && group.Patterns.Any(pattern => pattern.IsMatch(device.Path)));

    private static SelectedDisk Judge(
        IReadOnlyList<DiskGroup> groups, BlockDevice device, IReadOnlyDictionary<string, string> nodeLabels)
    {
        var group = FindGroup(groups, device, nodeLabels);
        return group is null
            ? new SelectedDisk(device, null, "no disk group of this node matches it")
            : new SelectedDisk(device, group, Refuse(group, device));
    }

    private static string Refuse(DiskGroup group, BlockDevice device)
    {
        if (_refusedTypes.FirstOrDefault(type => device.Type.Contains(type, StringComparison.Ordinal)) is { } type)
            return $"it is of type {device.Type}, and {type} devices are never taken";

        if (_refusedNames.FirstOrDefault(name => device.Path.Contains(name, StringComparison.Ordinal)) is { } name)
            return $"its name contains '{name}', which marks devices that Carina or a cache made";

        if (group.Policy == PoolPolicy.Raw && device.Type == "part")
            return "it is a partition, and RAW groups take whole disks only";

        if (device.ReadOnly)
            return "it is read-only";

        if (!_workingStates.Contains(device.State, StringComparer.Ordinal))
            return $"its driver reports the state '{device.State}'";

        if (device.MountPoints.Count > 0)
            return $"it is in use at {string.Join(", ", device.MountPoints)}";

        if (device.Children.Count > 0)
            return $"it has partitions or devices built on it: {string.Join(", ", device.Children)}";

        if (device.Signature.Length > 0)
            return $"it holds {device.Signature}";

        if (device.PartitionTable.Length > 0 && device.Type != "part")
            return $"it has a partition table ({device.PartitionTable})";

        if (IsVolume(device))
            return "it is a Carina volume";

        return device.Bytes < group.MinDiskBytes
            ? $"it has {device.Bytes} bytes, less than the {group.MinDiskBytes} that group '{group.Name}' asks for"
            : "";
    }

    // A volume that no pod has written to yet is as blank as a new disk.
    private static bool IsVolume(BlockDevice device) =>
        device.PartitionName.StartsWith("carina", StringComparison.Ordinal)
        || VolumeIds.IsWellFormed(Path.GetFileNameWithoutExtension(device.BackingFile));
}
