using Carina.Grains.Configuration;
using Carina.Grains.Failover;

namespace Carina.Grains.Volumes;

/// <summary>Where a volume is in its life.</summary>
[GenerateSerializer]
[Alias("carina.VolumeState")]
public enum VolumeState
{
    /// <summary>Node and pool are chosen and capacity is reserved; the disk may or may not have the volume yet.</summary>
    Creating,

    /// <summary>The disk has the volume and the ledger has confirmed it.</summary>
    Ready,

    /// <summary>To be removed; the disk may still have it.</summary>
    Deleting,
}

/// <summary>Whether pods see a file system or a block device.</summary>
[GenerateSerializer]
[Alias("carina.VolumeAccess")]
public enum VolumeAccess
{
    FileSystem,
    Block,

    /// <summary>Not recorded: Carina up to 0.14 did not. Whoever uses the volume says.</summary>
    Unknown,
}

/// <summary>The persisted state of a volume grain: what should exist.</summary>
[GenerateSerializer]
[Alias("carina.VolumeRecord")]
public sealed record VolumeRecord
{
    /// <summary>The CSI volume handle; it does not depend on the node.</summary>
    [Id(0)]
    public required string VolumeId { get; init; }

    /// <summary>The name the volume was asked for by (the PersistentVolume's name), as given.</summary>
    [Id(1)]
    public required string Name { get; init; }

    [Id(2)]
    public required VolumeState State { get; init; }

    /// <summary>The node that holds the current generation.</summary>
    [Id(3)]
    public required string NodeName { get; init; }

    /// <summary>The pool (disk group) on that node.</summary>
    [Id(4)]
    public required string Pool { get; init; }

    [Id(5)]
    public required PoolPolicy Policy { get; init; }

    /// <summary>Size on disk in bytes, a multiple of the pool's granularity.</summary>
    [Id(6)]
    public required long Bytes { get; init; }

    /// <summary>Size in bytes that an expansion under way is heading for; equal to <see cref="Bytes"/> at rest.</summary>
    [Id(7)]
    public required long TargetBytes { get; init; }

    /// <summary>Increases whenever the volume is made anew on some node; the agent refuses an older one.</summary>
    [Id(8)]
    public required long Generation { get; init; }

    [Id(9)]
    public required VolumeAccess Access { get; init; }

    /// <summary>File system type in lower case; empty for block volumes.</summary>
    [Id(10)]
    public string FileSystem { get; init; } = "";

    /// <summary>StorageClass parameters as given.</summary>
    [Id(11)]
    public Dictionary<string, string> Parameters { get; init; } = [];

    /// <summary>Parameters that ControllerModifyVolume may change.</summary>
    [Id(12)]
    public Dictionary<string, string> MutableParameters { get; init; } = [];

    /// <summary>Nodes it is controller-published to, and whether read-only.</summary>
    [Id(13)]
    public Dictionary<string, bool> PublishedNodes { get; init; } = [];

    [Id(14)]
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>Device path on the node, as reported when the volume was made.</summary>
    [Id(15)]
    public string DevicePath { get; init; } = "";

    /// <summary>The size asked for at creation, in bytes; what a repeated request is compared with.</summary>
    [Id(16)]
    public long RequestedBytes { get; init; }

    /// <summary>The upper limit given at creation, in bytes; 0 means none.</summary>
    [Id(17)]
    public long LimitBytes { get; init; }

    /// <summary>Places where an earlier, never handed out generation may still be on disk.</summary>
    [Id(18)]
    public List<AbandonedPlace> Abandoned { get; init; } = [];

    /// <summary>A move to another node that is under way; null at rest.</summary>
    [Id(19)]
    public VolumeMove? Move { get; init; }

    /// <summary>Copies on nodes that the volume was moved away from; they hold data and are kept.</summary>
    [Id(20)]
    public List<RetiredCopy> Retired { get; init; } = [];

    /// <summary>The last things that happened to it, oldest first; at most <see cref="MaxHistory"/>.</summary>
    [Id(21)]
    public List<VolumeHistoryEntry> History { get; init; } = [];

    /// <summary>
    /// Set while pods that opted in to failover use the volume: its node stops all writing to it before the node's lease
    /// can have lapsed. Null when nothing of that kind is promised.
    /// </summary>
    [Id(22)]
    public VolumeGuard? Guard { get; init; }

    /// <summary>
    /// The highest generation that a place was ever chosen for: one that was given up is not used again, since messages
    /// about it may still be on their way. 0 when none was beyond <see cref="Generation"/>.
    /// </summary>
    [Id(23)]
    public long LastGeneration { get; init; }

    /// <summary>Entries of <see cref="History"/> that are kept.</summary>
    public const int MaxHistory = 20;

    /// <summary>This record with one more thing that happened.</summary>
    public VolumeRecord Remember(DateTimeOffset at, string what) =>
        this with { History = [.. History.TakeLast(MaxHistory - 1), new(at, what)] };
}

/// <summary>Where a generation that nobody ever used may have been left.</summary>
[GenerateSerializer]
[Alias("carina.AbandonedPlace")]
public sealed record AbandonedPlace(
    [property: Id(0)] string NodeName, [property: Id(1)] string Pool, [property: Id(2)] long Generation);
