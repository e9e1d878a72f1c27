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

    /// <summary>
    /// First of all when it goes on being used meanwhile: a place is made and what the volume holds is copied to it. Then it
    /// is fenced, and what has changed is copied once more.
    /// </summary>
    Preparing,
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

/// <summary>A move that is to begin.</summary>
[GenerateSerializer]
[Alias("carina.MoveOrder")]
public sealed record MoveOrder
{
    /// <summary>Tells this move from others; volumes of one pod share it.</summary>
    [Id(0)]
    public required string Id { get; init; }

    [Id(1)]
    public required MoveCause Cause { get; init; }

    /// <summary>The node that the volume is to leave.</summary>
    [Id(2)]
    public required string FromNode { get; init; }

    /// <inheritdoc cref="VolumeMove.To"/>
    [Id(3)]
    public string To { get; init; } = "";

    [Id(4)]
    public MoveData Data { get; init; }

    /// <summary>For <see cref="MoveData.Restore"/>: which copy on <see cref="To"/>.</summary>
    [Id(5)]
    public long RestoredGeneration { get; init; }

    /// <summary>The volume goes on being used while the move is prepared (<see cref="MovePhase.Preparing"/>).</summary>
    [Id(6)]
    public bool Prepare { get; init; }
}

/// <summary>What a moved volume holds.</summary>
[GenerateSerializer]
[Alias("carina.MoveData")]
public enum MoveData
{
    /// <summary>Nothing: databases that replicate themselves fill it again.</summary>
    Fresh,

    /// <summary>What it held before, compared byte for byte.</summary>
    Copy,

    /// <summary>What a retired copy holds, which becomes the volume again where it lies.</summary>
    Restore,
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

    /// <summary>The node that it is to go to; empty when any will do.</summary>
    [Id(11)]
    public string To { get; init; } = "";

    [Id(12)]
    public MoveData Data { get; init; }

    /// <summary>What proves that the copy is complete, for people; empty until it is.</summary>
    [Id(13)]
    public string Copied { get; init; } = "";

    /// <summary>For <see cref="MoveData.Restore"/>: the copy that becomes the volume again.</summary>
    [Id(14)]
    public RetiredCopy? Restores { get; init; }
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

    /// <summary>
    /// The handle that it has on its node's disk (<see cref="RetiredCopyId"/>); empty while it has the volume's own there,
    /// because the node was not back yet or still has it open.
    /// </summary>
    [Id(5)]
    public string StoredAs { get; init; } = "";

    /// <summary>What it is called on its node's disk.</summary>
    public DiskVolumeKey KeyOf(string volumeId) => new(StoredAs.Length > 0 ? StoredAs : volumeId, Pool, Generation);
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
