using System.Text.RegularExpressions;

namespace Carina.Grains.Configuration;

/// <summary>How placement chooses among nodes (and pools) that fit.</summary>
[GenerateSerializer]
[Alias("carina.SchedulerStrategy")]
public enum SchedulerStrategy
{
    /// <summary>The one with most room left.</summary>
    Spreadout,

    /// <summary>The one with least room left that still fits.</summary>
    Binpack,
}

/// <summary>
/// The validated content of <c>config.json</c> (ConfigMap <c>carina-csi-config</c>). Immutable: a reload makes a new one.
/// </summary>
public sealed record CarinaConfig
{
    /// <summary>Nothing managed.</summary>
    public static CarinaConfig Empty { get; } = new();

    /// <summary>The groups in the order of the file; a disk that several match belongs to the first.</summary>
    public IReadOnlyList<DiskGroup> Groups { get; init; } = [];

    /// <summary>Time between periodic scans; null when only start and configuration changes scan.</summary>
    public TimeSpan? ScanInterval { get; init; }

    public SchedulerStrategy Strategy { get; init; } = SchedulerStrategy.Spreadout;

    /// <summary>What the operator decides about failover.</summary>
    public Failover.FailoverOptions Failover { get; init; } = new();

    /// <summary>The group of that name in any case; null when there is none.</summary>
    public DiskGroup? FindGroup(string name) =>
        Groups.FirstOrDefault(group => string.Equals(group.Name, name, StringComparison.OrdinalIgnoreCase));

    /// <summary>The groups that apply to a node, in the order of the file.</summary>
    /// <param name="nodeLabels">The node's labels by key.</param>
    public IReadOnlyList<DiskGroup> GroupsFor(IReadOnlyDictionary<string, string> nodeLabels) =>
        [.. Groups.Where(group => group.NodeLabel.Length == 0 || nodeLabels.ContainsKey(group.NodeLabel))];
}

/// <summary>One element of <c>diskSelector</c>: a pool on every node it applies to.</summary>
public sealed record DiskGroup
{
    /// <summary>Smallest disk taken without being told otherwise: 10 GiB.</summary>
    public const long DefaultMinDiskBytes = 10L << 30;

    /// <summary>Bytes never promised without being told otherwise: 10 GiB.</summary>
    public const long DefaultReserveBytes = 10L << 30;

    /// <summary>Pool name; for LVM also the volume group's. Compared exactly, found in any case.</summary>
    public required string Name { get; init; }

    public required PoolPolicy Policy { get; init; }

    /// <summary>
    /// Patterns of disks, matched anywhere in the full device path; empty for directory policies. The parser joins those
    /// of a group into one.
    /// </summary>
    public IReadOnlyList<Regex> Patterns { get; init; } = [];

    /// <summary>The directory of a FILE or HOST pool; empty for disk policies.</summary>
    public string Directory { get; init; } = "";

    /// <summary>The group applies to nodes that have this label key; empty means all nodes.</summary>
    public string NodeLabel { get; init; } = "";

    /// <summary>Take only disks whose ROTA flag has this value; null takes both (0.9.0's groups by type).</summary>
    public bool? Rotational { get; init; }

    /// <summary>Smallest disk that is taken, in bytes.</summary>
    public long MinDiskBytes { get; init; } = DefaultMinDiskBytes;

    /// <summary>Bytes of the pool (for FILE: of its file system) that are never promised.</summary>
    public long ReserveBytes { get; init; } = DefaultReserveBytes;

    /// <summary>Most bytes a FILE pool promises in total; 0 means as much as its file system holds.</summary>
    public long CapacityBytes { get; init; }

    /// <summary>
    /// Whether the group asks for the disk. A disk that several groups ask for belongs to the first of them in the file;
    /// directory policies ask for none.
    /// </summary>
    /// <param name="devicePath">Full path, as <c>/dev/sdb</c>.</param>
    /// <param name="rotational">The kernel's ROTA flag.</param>
    /// <param name="bytes">Size of the disk in bytes.</param>
    public bool Selects(string devicePath, bool rotational, long bytes) =>
        bytes >= MinDiskBytes
        && (Rotational ?? rotational) == rotational
        && Patterns.Any(pattern => pattern.IsMatch(devicePath));
}
