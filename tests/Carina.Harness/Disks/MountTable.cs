using System.Globalization;
using System.Text.RegularExpressions;

namespace Carina.Harness.Disks;

/// <summary>One line of <c>/proc/self/mountinfo</c> (proc(5)).</summary>
public sealed record MountEntry(string MountPoint, string FileSystem, string Source, string Options);

/// <summary>What is mounted where.</summary>
public static partial class MountTable
{
    /// <summary>All mounts, in the order in which they were made.</summary>
    public static IReadOnlyList<MountEntry> Read() =>
        [.. File.ReadLines("/proc/self/mountinfo").Select(Parse)];

    /// <summary>Mounts at or below a directory.</summary>
    public static IReadOnlyList<MountEntry> Below(string directory) =>
    [
        .. Read().Where(m => m.MountPoint == directory
            || m.MountPoint.StartsWith(directory + "/", StringComparison.Ordinal)),
    ];

    private static MountEntry Parse(string line)
    {
        // 36 35 98:0 /root /mount/point options optional... - type source superoptions
        var halves = line.Split(" - ", 2);
        var mount = halves[0].Split(' ');
        var rest = halves[1].Split(' ');
        return new(Unescape(mount[4]), rest[0], Unescape(rest[1]), mount[5]);
    }

    private static string Unescape(string text) => Octal().Replace(
        text, match => ((char)Convert.ToInt32(match.Groups[1].Value, 8)).ToString(CultureInfo.InvariantCulture));

    [GeneratedRegex(@"\\([0-7]{3})")]
    private static partial Regex Octal();
}
