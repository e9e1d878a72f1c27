using Carina.Grains.Agents;
using Carina.Grains.Volumes;

namespace Carina.Grains.Failover;

/// <summary>How far a move of a volume to another node is. Each step is stored before the next one begins.</summary>
[GenerateSerializer]
[Alias("carina.MovePhase")]
public enum MovePhase
{
    /// <summary>The node that holds the volume must not write any more; nobody may use it until the move has ended.</summary>
    Fencing,

    /// <summary>It cannot write. A place on another node is looked for and the volume is made there.</summary>
    Relocating,

    /// <summary>The other node has the volume; its PersistentVolume is to be bound to that node.</summary>
    Rehoming,

    /// <summary>Pods that were left on the old node are to be released, so that their successors can start.</summary>
    Releasing,
}

/// <summary>Why a volume moves.</summary>
[GenerateSerializer]
[Alias("carina.MoveCause")]
public enum MoveCause
{
    /// <summary>Its node is not ready, or not there any more.</summary>
    NodeLost,

    /// <summary>Somebody asked for it.</summary>
    Requested,
}

/// <summary>A move under way, as a part of the volume's record: whoever finds it can go on with it.</summary>
[GenerateSerializer]
[Alias("carina.VolumeMove")]
public sealed record VolumeMove
{
    /// <summary>Tells it from other moves of the volume; volumes of one pod that move together share it.</summary>
    [Id(0)]
    public required string Id { get; init; }

    [Id(1)]
    public required MoveCause Cause { get; init; }

    [Id(2)]
    public required MovePhase Phase { get; init; }

    /// <summary>Where the volume was.</summary>
    [Id(3)]
    public required RetiredCopy From { get; init; }

    [Id(4)]
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>When <see cref="Phase"/> was reached.</summary>
    [Id(5)]
    public required DateTimeOffset PhaseSince { get; init; }

    /// <summary>How it is known that the old holder cannot write, for people; empty until it is.</summary>
    [Id(6)]
    public string Fence { get; init; } = "";

    /// <summary>What stands in the way, for people; empty when nothing does.</summary>
    [Id(7)]
    public string Problem { get; init; } = "";

    /// <summary>The PersistentVolume as it is to be, while it may exist nowhere else; empty before.</summary>
    [Id(8)]
    public string Manifest { get; init; } = "";

    /// <summary>Where it is being made, until it is there; null before.</summary>
    [Id(9)]
    public AbandonedPlace? Target { get; init; }

    /// <summary>What was made at <see cref="Target"/>; null until it is.</summary>
    [Id(10)]
    public DiskVolume? Made { get; init; }
}

/// <summary>
/// A copy that is not the volume any more but holds somebody's data. It is kept until an operator, or a policy that an
/// operator wrote, says otherwise.
/// </summary>
[GenerateSerializer]
[Alias("carina.RetiredCopy")]
public sealed record RetiredCopy(
    [property: Id(0)] string NodeName,
    [property: Id(1)] string Pool,
    [property: Id(2)] long Generation,
    [property: Id(3)] long Bytes)
{
    /// <summary>When it stopped to be the volume; the default while it still is.</summary>
    [Id(4)]
    public DateTimeOffset RetiredAt { get; init; }
}

/// <summary>Something that happened to a volume, kept with it.</summary>
[GenerateSerializer]
[Alias("carina.VolumeHistoryEntry")]
public sealed record VolumeHistoryEntry(
    [property: Id(0)] DateTimeOffset At,
    [property: Id(1)] string What);

/// <summary>A node's word that it stops all writing to a generation of a volume before the node's lease can have lapsed.</summary>
[GenerateSerializer]
[Alias("carina.VolumeGuard")]
public sealed record VolumeGuard(
    [property: Id(0)] string NodeName,
    [property: Id(1)] long Generation,
    [property: Id(2)] DateTimeOffset Since);
