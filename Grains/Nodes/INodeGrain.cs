using Carina.Grains.Agents;
using Orleans.Concurrency;

namespace Carina.Grains.Nodes;

/// <summary>
/// The ledger of one node's pools; the grain's key is the node's name. It runs anywhere, so it answers when its node is
/// dead, and never awaits disk work. Answers are given only after the change is stored.
/// </summary>
[Alias("carina.INodeGrain")]
public interface INodeGrain : IGrainWithStringKey
{
    /// <summary>
    /// Promises bytes to a volume, or renews or grows an earlier promise. It expires unless confirmed.
    /// </summary>
    [Alias("Reserve")]
    Task<ReservationResult> ReserveAsync(Reservation reservation, CancellationToken cancellationToken);

    /// <summary>The disk has the volume at this size: the promise no longer expires.</summary>
    [Alias("Confirm")]
    Task ConfirmAsync(DiskVolumeKey key, long bytes, CancellationToken cancellationToken);

    /// <summary>The disk has a volume under another handle and generation now; its bytes stay promised.</summary>
    [Alias("Rename")]
    Task RenameAsync(DiskVolumeKey from, DiskVolumeKey to, long bytes, CancellationToken cancellationToken);

    /// <summary>The volume is gone from the disk (or was never made): its bytes are free again.</summary>
    [Alias("Release")]
    Task ReleaseAsync(string volumeId, long generation, CancellationToken cancellationToken);

    /// <summary>
    /// Counts the volume as attached to this node. False when the node has <paramref name="limit"/> of them already;
    /// 0 means no limit.
    /// </summary>
    [Alias("Attach")]
    Task<bool> AttachAsync(string volumeId, int limit, CancellationToken cancellationToken);

    /// <summary>Undoes <see cref="AttachAsync"/>.</summary>
    [Alias("Detach")]
    Task DetachAsync(string volumeId, CancellationToken cancellationToken);

    /// <summary>What the disk last said is wrong with a volume; empty when nothing is.</summary>
    [Alias("GetVolumeProblem")]
    [AlwaysInterleave]
    Task<string> GetVolumeProblemAsync(string volumeId, CancellationToken cancellationToken);

    /// <summary>What the node has and what is left of it.</summary>
    [Alias("GetCapacity")]
    [AlwaysInterleave]
    Task<NodeCapacity> GetCapacityAsync(CancellationToken cancellationToken);

    /// <summary>
    /// As <see cref="GetCapacityAsync(CancellationToken)"/>, and at the same instant which of these volumes are counted
    /// in it already (<see cref="NodeCapacity.Promised"/>).
    /// </summary>
    [Alias("GetCapacityAwaiting")]
    [AlwaysInterleave]
    Task<NodeCapacity> GetCapacityAsync(List<string> awaited, CancellationToken cancellationToken);

    /// <summary>Takes in what the node's agent found on its disks.</summary>
    [Alias("Report")]
    Task ReportAsync(NodeReport report, CancellationToken cancellationToken);
}

/// <summary>A promise asked for.</summary>
/// <param name="Key">Volume, pool and generation.</param>
/// <param name="Bytes">Bytes wanted in total (not in addition); rounded up to the pool's granularity.</param>
/// <param name="LimitBytes">The rounded size may not exceed this; 0 means no limit.</param>
[GenerateSerializer]
[Alias("carina.Reservation")]
public sealed record Reservation(
    [property: Id(0)] DiskVolumeKey Key,
    [property: Id(1)] long Bytes,
    [property: Id(2)] long LimitBytes);

/// <summary>Outcome of a reservation.</summary>
[GenerateSerializer]
[Alias("carina.ReservationOutcome")]
public enum ReservationOutcome
{
    Reserved,
    NotEnough,
    UnknownPool,
    OverLimit,
    StaleGeneration,
}

/// <summary>Answer to a reservation.</summary>
/// <param name="Outcome">What became of it.</param>
/// <param name="Bytes">Bytes promised, when reserved.</param>
/// <param name="AvailableBytes">Bytes that could have been promised.</param>
[GenerateSerializer]
[Alias("carina.ReservationResult")]
public sealed record ReservationResult(
    [property: Id(0)] ReservationOutcome Outcome,
    [property: Id(1)] long Bytes,
    [property: Id(2)] long AvailableBytes);

/// <summary>What a node has and what is left of it.</summary>
[GenerateSerializer]
[Alias("carina.NodeCapacity")]
public sealed record NodeCapacity(
    [property: Id(0)] string NodeName,
    [property: Id(1)] IReadOnlyList<PoolCapacity> Pools,
    [property: Id(2)] IReadOnlyDictionary<string, string> Labels)
{
    /// <summary>Of the volumes that were asked about, those that have a promise here and are counted.</summary>
    [Id(3)]
    public IReadOnlyList<string> Promised { get; init; } = [];
}

/// <summary>One pool's capacity in bytes.</summary>
[GenerateSerializer]
[Alias("carina.PoolCapacity")]
public sealed record PoolCapacity
{
    [Id(0)]
    public required string Name { get; init; }

    [Id(1)]
    public required Configuration.PoolPolicy Policy { get; init; }

    /// <summary>Bytes that volumes could use if the pool were empty and nothing were reserved.</summary>
    [Id(2)]
    public required long SizeBytes { get; init; }

    /// <summary>Bytes that can still be promised; never negative.</summary>
    [Id(3)]
    public required long AvailableBytes { get; init; }

    /// <summary>Bytes promised to volumes.</summary>
    [Id(4)]
    public required long AllocatedBytes { get; init; }

    [Id(5)]
    public required long GranularityBytes { get; init; }

    /// <summary>Number of volumes with a promise.</summary>
    [Id(6)]
    public required int Volumes { get; init; }

    /// <summary>Why nothing new can be made here; empty when the pool is sound.</summary>
    [Id(7)]
    public string Problem { get; init; } = "";
}
