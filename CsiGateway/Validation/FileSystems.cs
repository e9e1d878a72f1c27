namespace Carina.CsiGateway.Validation;

/// <summary>File systems that volumes can have.</summary>
internal static class FileSystems
{
    /// <summary>The one that is made where none was asked for.</summary>
    public const string Default = "ext4";

    private const long MiB = 1L << 20;

    // Smallest devices on which mkfs succeeds, rounded up: mke2fs 1.47 wants 128 KiB, mkfs.xfs 6.1 says 300 MiB,
    // mkfs.btrfs 6.2 wants 109 MiB.
    private static readonly Dictionary<string, long> _minimumBytes = new(StringComparer.Ordinal)
    {
        ["ext4"] = MiB,
        ["xfs"] = 300 * MiB,
        ["btrfs"] = 128 * MiB,
    };

    public static IReadOnlyCollection<string> Known => _minimumBytes.Keys;

    public static bool IsKnown(string name) => _minimumBytes.ContainsKey(name);

    /// <summary>Smallest volume in bytes that can hold the file system; 1 for none.</summary>
    public static long MinimumBytes(string name) => _minimumBytes.GetValueOrDefault(name, 1);
}
