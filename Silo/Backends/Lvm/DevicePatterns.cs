using System.Text.RegularExpressions;

namespace Carina.Silo.Backends.Lvm;

/// <summary>The devices that LVM may look at on this node (<see cref="SiloOptions.LvmDevices"/>).</summary>
internal sealed class DevicePatterns
{
    private readonly Regex[] _patterns;

    /// <exception cref="ArgumentException">A pattern is no regular expression.</exception>
    public DevicePatterns(string patterns) => _patterns =
    [
        .. patterns.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(pattern => new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant)),
    ];

    /// <summary>Whether some devices are excluded.</summary>
    public bool Restrict => _patterns.Length > 0;

    public bool Allows(string device) => !Restrict || _patterns.Any(pattern => pattern.IsMatch(device));

    /// <summary>The block devices of this node, by path, that are allowed.</summary>
    public IEnumerable<string> AllowedDevices() => Directory
        .EnumerateFileSystemEntries("/sys/class/block")
        .Select(entry => "/dev/" + Path.GetFileName(entry).Replace('!', '/'))
        .Where(Allows);
}
