using Carina.Grains.Configuration;

namespace Carina.Grains.Agents;

/// <summary>Identifies a volume on a node's disk: every destructive act checks all of it first.</summary>
/// <param name="VolumeId">The volume handle.</param>
/// <param name="Pool">The pool that holds it.</param>
/// <param name="Generation">The generation the caller believes current.</param>
[GenerateSerializer]
[Alias("carina.DiskVolumeKey")]
public sealed record DiskVolumeKey(
    [property: Id(0)] string VolumeId,
    [property: Id(1)] string Pool,
    [property: Id(2)] long Generation);

/// <summary>A volume as the disk has it.</summary>
[GenerateSerializer]
[Alias("carina.DiskVolume")]
public sealed record DiskVolume
{
    [Id(0)]
    public required DiskVolumeKey Key { get; init; }

    /// <summary>Size in bytes.</summary>
    [Id(1)]
    public required long Bytes { get; init; }

    /// <summary>Path of its block device, or of its backing file while no loop device is attached.</summary>
    [Id(2)]
    public required string DevicePath { get; init; }

    /// <summary>What is wrong with it, for people; empty when nothing is.</summary>
    [Id(3)]
    public string Problem { get; init; } = "";
}

/// <summary>One pool as the disk has it, taken at one instant.</summary>
[GenerateSerializer]
[Alias("carina.PoolReport")]
public sealed record PoolReport
{
    [Id(0)]
    public required string Name { get; init; }

    [Id(1)]
    public required PoolPolicy Policy { get; init; }

    /// <summary>Bytes that volumes could use if the pool were empty.</summary>
    [Id(2)]
    public required long SizeBytes { get; init; }

    /// <summary>Bytes in use by what is not ours.</summary>
    [Id(3)]
    public required long ForeignBytes { get; init; }

    /// <summary>Bytes that are never promised.</summary>
    [Id(4)]
    public required long ReserveBytes { get; init; }

    /// <summary>Allocation unit in bytes (an LVM extent, a file system block).</summary>
    [Id(5)]
    public required long GranularityBytes { get; init; }

    /// <summary>Our volumes in it.</summary>
    [Id(6)]
    public List<DiskVolume> Volumes { get; init; } = [];

    /// <summary>Why nothing new can be made here, for people; empty when the pool is sound.</summary>
    [Id(7)]
    public string Problem { get; init; } = "";

    /// <summary>The volume group behind the pool, for people; null when it is made of something else.</summary>
    [Id(8)]
    public VolumeGroupReport? VolumeGroup { get; init; }

    /// <summary>
    /// What is named as volumes are, but does not bear our tags: it may be Carina's of old, or somebody else's. Part of
    /// <see cref="ForeignBytes"/>, as first generations.
    /// </summary>
    [Id(9)]
    public List<DiskVolume> Unclaimed { get; init; } = [];
}

/// <summary>A volume group as vgs and pvs show it, for people.</summary>
[GenerateSerializer]
[Alias("carina.VolumeGroupReport")]
public sealed record VolumeGroupReport
{
    [Id(0)]
    public required string Name { get; init; }

    /// <summary>vg_attr.</summary>
    [Id(1)]
    public required string Attributes { get; init; }

    /// <summary>Logical volumes in it that are not ours.</summary>
    [Id(2)]
    public required int ForeignVolumes { get; init; }

    [Id(3)]
    public required IReadOnlyList<PhysicalVolumeReport> Disks { get; init; }

    // A list compares by reference, and an idle node must not write.
    public bool Equals(VolumeGroupReport? other) =>
        other is not null && Name == other.Name && Attributes == other.Attributes
        && ForeignVolumes == other.ForeignVolumes && Disks.SequenceEqual(other.Disks);

    public override int GetHashCode() => HashCode.Combine(Name, Attributes, ForeignVolumes, Disks.Count);
}

/// <summary>A disk of a volume group as pvs shows it; bytes as of the last look at it.</summary>
[GenerateSerializer]
[Alias("carina.PhysicalVolumeReport")]
public sealed record PhysicalVolumeReport(
    [property: Id(0)] string Name,
    [property: Id(1)] string Format,
    [property: Id(2)] string Attributes,
    [property: Id(3)] long SizeBytes,
    [property: Id(4)] long FreeBytes);

/// <summary>What a node's agent says about its disks.</summary>
[GenerateSerializer]
[Alias("carina.NodeReport")]
public sealed record NodeReport
{
    [Id(0)]
    public required string NodeName { get; init; }

    /// <summary>The agent process' incarnation; a lower one is never believed over a higher one.</summary>
    [Id(1)]
    public required long Incarnation { get; init; }

    /// <summary>Increases with every report of one incarnation.</summary>
    [Id(2)]
    public required long Sequence { get; init; }

    [Id(3)]
    public required List<PoolReport> Pools { get; init; }

    /// <summary>Volumes with a command queued or running, whose presence on disk is about to change.</summary>
    [Id(4)]
    public List<string> InFlight { get; init; } = [];

    /// <summary>The node's labels (for topology); always has <see cref="CarinaNames.TopologyKey"/>.</summary>
    [Id(5)]
    public Dictionary<string, string> Labels { get; init; } = [];
}
