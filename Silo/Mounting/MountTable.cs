using System.Globalization;
using System.Text;
using Carina.Silo.Linux;

namespace Carina.Silo.Mounting;

/// <summary>One mount of this mount namespace (proc(5), <c>/proc/[pid]/mountinfo</c>).</summary>
internal sealed record MountEntry
{
    public required int Id { get; init; }

    public required int ParentId { get; init; }

    /// <summary>st_dev of files in it: the block device's number, except for file systems like btrfs that make up their own.</summary>
    public required DeviceNumber Device { get; init; }

    /// <summary>What of the file system is mounted: "/" for all of it, otherwise the directory or file that was bound.</summary>
    public required string Root { get; init; }

    public required string MountPoint { get; init; }

    /// <summary>Options of this mount alone.</summary>
    public required IReadOnlyList<string> Options { get; init; }

    public required string FileSystem { get; init; }

    public required string Source { get; init; }

    /// <summary>Options of the file system, the same at all its mounts.</summary>
    public required IReadOnlyList<string> SuperOptions { get; init; }

    public bool IsReadOnly => Options.Contains("ro", StringComparer.Ordinal);
}

/// <summary>The mounts of this mount namespace at one instant, oldest first.</summary>
internal sealed class MountTable
{
    private const string Path = "/proc/self/mountinfo";

    private MountTable(IReadOnlyList<MountEntry> entries) => Entries = entries;

    public IReadOnlyList<MountEntry> Entries { get; }

    public static MountTable Read() => Parse(File.ReadLines(Path));

    /// <summary>Understands lines of mountinfo; a line of another form is left out, so that it cannot hide the others.</summary>
    public static MountTable Parse(IEnumerable<string> lines) =>
        new([.. lines.Select(ParseLine).OfType<MountEntry>()]);

    public MountEntry? Find(int id) => Entries.FirstOrDefault(entry => entry.Id == id);

    /// <summary>Mounts of the file system that is on this block device.</summary>
    public IEnumerable<MountEntry> OfFileSystemOn(DeviceNumber device) =>
        Entries.Where(entry => BlockDeviceOf(entry) == device);

    /// <summary>Mounts of the device's node itself onto a file: how block volumes are published.</summary>
    public IEnumerable<MountEntry> OfNode(DeviceNumber device) =>
        Entries.Where(entry => NodeBehind(entry) == device);

    /// <summary>The block device under a mounted file system, or the one whose node is mounted; null when there is none.</summary>
    public static DeviceNumber? DeviceOf(MountEntry entry) => NodeBehind(entry) ?? BlockDeviceOf(entry);

    // btrfs shows an anonymous number, but its source is the device.
    private static DeviceNumber? BlockDeviceOf(MountEntry entry)
    {
        if (entry.Device.Major != 0)
            return entry.Device;

        return entry.FileSystem == "btrfs" ? BlockDeviceNode.NumberOf(entry.Source) : null;
    }

    // Only these hold device nodes, and looking into another file system may hang (a dead NFS server).
    private static DeviceNumber? NodeBehind(MountEntry entry) =>
        entry.Root != "/" && entry.FileSystem is "devtmpfs" or "tmpfs" ? BlockDeviceNode.NumberOf(entry.MountPoint) : null;

    private static MountEntry? ParseLine(string line)
    {
        // id parent major:minor root mountpoint options [optional…] - type source superoptions
        var fields = line.Split(' ');
        var separator = Array.IndexOf(fields, "-", 6 <= fields.Length ? 6 : fields.Length);
        if (separator < 0 || fields.Length < separator + 4)
            return null;

        var number = fields[2].Split(':');
        if (number.Length != 2
            || !TryNumber(fields[0], out var id)
            || !TryNumber(fields[1], out var parent)
            || !TryNumber(number[0], out var major)
            || !TryNumber(number[1], out var minor))
        {
            return null;
        }

        return new MountEntry
        {
            Id = id,
            ParentId = parent,
            Device = new DeviceNumber(major, minor),
            Root = Unescape(fields[3]),
            MountPoint = Unescape(fields[4]),
            Options = fields[5].Split(','),
            FileSystem = fields[separator + 1],
            Source = Unescape(fields[separator + 2]),
            SuperOptions = fields[separator + 3].Split(','),
        };
    }

    private static bool TryNumber(string text, out int value) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    // The kernel writes space, tab, newline, backslash and # as a backslash and three octal digits.
    internal static string Unescape(string text)
    {
        if (!text.Contains('\\', StringComparison.Ordinal))
            return text;

        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 3 < text.Length && text.AsSpan(i + 1, 3).IndexOfAnyExceptInRange('0', '7') < 0)
            {
                result.Append((char)(((text[i + 1] - '0') << 6) | ((text[i + 2] - '0') << 3) | (text[i + 3] - '0')));
                i += 3;
            }
            else
            {
                result.Append(text[i]);
            }
        }

        return result.ToString();
    }
}
