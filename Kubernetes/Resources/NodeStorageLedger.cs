using System.Text.Json;
using System.Text.Json.Serialization;

namespace Carina.Kubernetes.Resources;

/// <summary>The driver's account of a node; bytes. Absent means empty, zero or no.</summary>
public sealed class NodeStorageLedger
{
    /// <summary>Counts the changes; what a compare-and-swap compares.</summary>
    [JsonPropertyName("version")]
    public long Version { get; set; }

    [JsonPropertyName("agentIncarnation")]
    public long AgentIncarnation { get; set; }

    [JsonPropertyName("labels")]
    public IDictionary<string, string>? Labels { get; set; }

    [JsonPropertyName("pools")]
    public IList<LedgerPoolStatus> Pools { get; set; } = [];

    [JsonPropertyName("allocations")]
    public IList<LedgerAllocation> Allocations { get; set; } = [];

    /// <summary>Fields of later versions of the driver: kept as they are.</summary>
    [JsonExtensionData]
    public IDictionary<string, JsonElement>? Further { get; set; }
}

/// <summary>A pool as last reported.</summary>
public sealed class LedgerPoolStatus
{
    [JsonPropertyName("name")]
    public string Name { get; set; } = "";

    [JsonPropertyName("policy")]
    public string Policy { get; set; } = "";

    [JsonPropertyName("sizeBytes")]
    public long SizeBytes { get; set; }

    [JsonPropertyName("foreignBytes")]
    public long ForeignBytes { get; set; }

    [JsonPropertyName("reserveBytes")]
    public long ReserveBytes { get; set; }

    [JsonPropertyName("granularityBytes")]
    public long GranularityBytes { get; set; } = 1;

    [JsonPropertyName("problem")]
    public string? Problem { get; set; }

    [JsonPropertyName("unexplained")]
    public IList<LedgerUnexplained>? Unexplained { get; set; }

    /// <summary>Named as volumes are, but without our tags; part of the foreign bytes.</summary>
    [JsonPropertyName("unclaimed")]
    public IList<LedgerUnexplained>? Unclaimed { get; set; }

    [JsonPropertyName("volumeGroup")]
    public LedgerVolumeGroup? VolumeGroup { get; set; }
}

/// <summary>A volume on disk that no record explains.</summary>
public sealed class LedgerUnexplained
{
    [JsonPropertyName("volumeID")]
    public string VolumeId { get; set; } = "";

    [JsonPropertyName("volumeGeneration")]
    public long VolumeGeneration { get; set; }

    [JsonPropertyName("bytes")]
    public long Bytes { get; set; }
}

/// <summary>The volume group behind a pool.</summary>
public sealed class LedgerVolumeGroup
{
    [JsonPropertyName("name")]
    public string Name { get; set; } = "";

    [JsonPropertyName("attr")]
    public string Attr { get; set; } = "";

    [JsonPropertyName("foreignVolumes")]
    public long ForeignVolumes { get; set; }

    [JsonPropertyName("disks")]
    public IList<LedgerDisk> Disks { get; set; } = [];
}

/// <summary>A disk of a volume group.</summary>
public sealed class LedgerDisk
{
    [JsonPropertyName("name")]
    public string Name { get; set; } = "";

    [JsonPropertyName("format")]
    public string Format { get; set; } = "";

    [JsonPropertyName("attr")]
    public string Attr { get; set; } = "";

    [JsonPropertyName("sizeBytes")]
    public long SizeBytes { get; set; }

    [JsonPropertyName("freeBytes")]
    public long FreeBytes { get; set; }
}

/// <summary>A promise to a volume.</summary>
public sealed class LedgerAllocation
{
    [JsonPropertyName("volumeID")]
    public string VolumeId { get; set; } = "";

    [JsonPropertyName("pool")]
    public string Pool { get; set; } = "";

    [JsonPropertyName("volumeGeneration")]
    public long VolumeGeneration { get; set; }

    [JsonPropertyName("bytes")]
    public long Bytes { get; set; }

    [JsonPropertyName("diskBytes")]
    public long DiskBytes { get; set; }

    /// <summary>RFC 3339; text, so that what was written is what is read.</summary>
    [JsonPropertyName("expiresAt")]
    public string? ExpiresAt { get; set; }

    [JsonPropertyName("attached")]
    public bool Attached { get; set; }

    [JsonPropertyName("problem")]
    public string? Problem { get; set; }
}
