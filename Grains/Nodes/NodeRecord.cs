using Carina.Grains.Agents;
using Carina.Grains.Configuration;

namespace Carina.Grains.Nodes;

/// <summary>The persisted ledger of one node: what is promised. One record, so one compare-and-swap guards all of it.</summary>
[GenerateSerializer]
[Alias("carina.NodeRecord")]
public sealed record NodeRecord
{
    [Id(0)]
    public required string NodeName { get; init; }

    /// <summary>Incarnation of the agent whose report was last taken in.</summary>
    [Id(1)]
    public long Incarnation { get; init; }

    [Id(2)]
    public Dictionary<string, string> Labels { get; init; } = [];

    [Id(3)]
    public List<LedgerPool> Pools { get; init; } = [];

    [Id(4)]
    public List<Allocation> Allocations { get; init; } = [];
}

/// <summary>A pool as last reported; sizes in bytes.</summary>
[GenerateSerializer]
[Alias("carina.LedgerPool")]
public sealed record LedgerPool
{
    [Id(0)]
    public required string Name { get; init; }

    [Id(1)]
    public required PoolPolicy Policy { get; init; }

    [Id(2)]
    public required long SizeBytes { get; init; }

    [Id(3)]
    public required long ForeignBytes { get; init; }

    [Id(4)]
    public required long ReserveBytes { get; init; }

    [Id(5)]
    public required long GranularityBytes { get; init; }

    /// <summary>Why nothing new can be made here; empty when the pool is sound.</summary>
    [Id(6)]
    public string Problem { get; init; } = "";

    /// <summary>Volumes tagged as ours that no allocation explains: counted, never deleted.</summary>
    [Id(7)]
    public List<Unexplained> Unexplained { get; init; } = [];

    /// <summary>The volume group behind the pool, for people; null when it is made of something else.</summary>
    [Id(8)]
    public VolumeGroupReport? VolumeGroup { get; init; }

    /// <summary>Named as volumes are, but without our tags: foreign, unless a record claims it.</summary>
    [Id(9)]
    public List<Unexplained> Unclaimed { get; init; } = [];
}

/// <summary>A volume on disk that the ledger has no promise for.</summary>
[GenerateSerializer]
[Alias("carina.Unexplained")]
public sealed record Unexplained(
    [property: Id(0)] string VolumeId, [property: Id(1)] long Generation, [property: Id(2)] long Bytes);

/// <summary>A promise to one volume.</summary>
[GenerateSerializer]
[Alias("carina.Allocation")]
public sealed record Allocation
{
    [Id(0)]
    public required string VolumeId { get; init; }

    [Id(1)]
    public required string Pool { get; init; }

    [Id(2)]
    public required long Generation { get; init; }

    /// <summary>Bytes promised: what counts.</summary>
    [Id(3)]
    public required long Bytes { get; init; }

    /// <summary>Bytes that the disk is known to have given; 0 while the volume is not made yet.</summary>
    [Id(4)]
    public long DiskBytes { get; init; }

    /// <summary>When the unconfirmed part lapses; null when all of it is confirmed.</summary>
    [Id(5)]
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>Whether the volume is controller-published to this node.</summary>
    [Id(6)]
    public bool Attached { get; init; }

    /// <summary>What the disk says is wrong with it; empty when nothing is.</summary>
    [Id(7)]
    public string Problem { get; init; } = "";
}
