using Carina.Silo.Backends;
using Carina.Silo.Linux;

namespace Carina.Silo.Mounting;

/// <summary>
/// Where a volume is mounted below the allowed roots. Mounts elsewhere are other views of the same ones: a container
/// that sees the node's root directory has each of them twice.
/// </summary>
internal sealed class VolumeMounts
{
    private VolumeMounts(IReadOnlyList<MountEntry> fileSystem, IReadOnlyList<MountEntry> nodes)
    {
        FileSystem = fileSystem;
        Nodes = nodes;
    }

    /// <summary>Mounts of the file system on the device.</summary>
    public IReadOnlyList<MountEntry> FileSystem { get; }

    /// <summary>Mounts of the device's node.</summary>
    public IReadOnlyList<MountEntry> Nodes { get; }

    public IEnumerable<MountEntry> All => FileSystem.Concat(Nodes);

    public static VolumeMounts Read(VolumeDevice device, IReadOnlyList<string> roots) =>
        Read(VolumeDevices.NumberOf(device), roots);

    public static VolumeMounts Read(DeviceNumber device, IReadOnlyList<string> roots)
    {
        var table = MountTable.Read();
        var prefixes = roots.Select(RealRoot).OfType<string>().ToArray();
        return new VolumeMounts([.. table.OfFileSystemOn(device).Where(IsWithin)], [.. table.OfNode(device).Where(IsWithin)]);

        bool IsWithin(MountEntry entry) =>
            prefixes.Any(prefix => entry.MountPoint.StartsWith(prefix, StringComparison.Ordinal));
    }

    /// <summary>Mount points other than this one, for messages; empty when there are none.</summary>
    public string Elsewhere(string? mountPoint) =>
        string.Join(", ", All.Select(entry => entry.MountPoint).Where(path => path != mountPoint).Distinct());

    private static string? RealRoot(string root)
    {
        using var directory = LinuxFile.TryOpen(null, root, OpenFlags.PathOnly | OpenFlags.Directory, out _);
        return directory is null ? null : LinuxFile.RealPathOf(directory).TrimEnd('/') + "/";
    }
}
