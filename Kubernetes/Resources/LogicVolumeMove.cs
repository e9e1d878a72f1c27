using System.Text.Json.Serialization;

namespace Carina.Kubernetes.Resources;

/// <summary>A move of a volume to another node; times are RFC 3339.</summary>
public sealed class LogicVolumeMove
{
    [JsonPropertyName("id")]
    public string Id { get; set; } = "";

    [JsonPropertyName("cause")]
    public string Cause { get; set; } = "";

    [JsonPropertyName("phase")]
    public string Phase { get; set; } = "";

    [JsonPropertyName("from")]
    public LogicVolumeCopy From { get; set; } = new();

    [JsonPropertyName("startedAt")]
    public string StartedAt { get; set; } = "";

    [JsonPropertyName("phaseSince")]
    public string PhaseSince { get; set; } = "";

    /// <summary>How it is known that the old holder cannot write.</summary>
    [JsonPropertyName("fence")]
    public string? Fence { get; set; }

    /// <summary>What stands in the way.</summary>
    [JsonPropertyName("problem")]
    public string? Problem { get; set; }

    [JsonPropertyName("target")]
    public LogicVolumePlace? Target { get; set; }

    /// <summary>The size of what was made at the target; absent until it is.</summary>
    [JsonPropertyName("madeSize")]
    public Quantity? MadeSize { get; set; }

    [JsonPropertyName("madeDevicePath")]
    public string? MadeDevicePath { get; set; }

    /// <summary>The PersistentVolume (JSON) while it may exist nowhere else.</summary>
    [JsonPropertyName("manifest")]
    public string? Manifest { get; set; }

    /// <summary>The node that it is to go to.</summary>
    [JsonPropertyName("to")]
    public string? To { get; set; }

    /// <summary>What the volume holds afterwards; absent stands for Fresh.</summary>
    [JsonPropertyName("data")]
    public string? Data { get; set; }

    /// <summary>What proves that the copy is complete.</summary>
    [JsonPropertyName("copied")]
    public string? Copied { get; set; }

    /// <summary>The retired copy that becomes the volume again.</summary>
    [JsonPropertyName("restores")]
    public LogicVolumeCopy? Restores { get; set; }
}

/// <summary>A copy of a volume that is not the volume any more.</summary>
public sealed class LogicVolumeCopy
{
    [JsonPropertyName("nodeName")]
    public string NodeName { get; set; } = "";

    [JsonPropertyName("deviceGroup")]
    public string DeviceGroup { get; set; } = "";

    [JsonPropertyName("volumeGeneration")]
    public long VolumeGeneration { get; set; }

    [JsonPropertyName("size")]
    public Quantity Size { get; set; }

    /// <summary>Absent while it still is the volume.</summary>
    [JsonPropertyName("retiredAt")]
    public string? RetiredAt { get; set; }

    /// <summary>Its handle on the node's disk; absent while it has the volume's own there.</summary>
    [JsonPropertyName("storedAs")]
    public string? StoredAs { get; set; }
}

/// <summary>A node's word that it stops writing before its lease can have lapsed.</summary>
public sealed class LogicVolumeGuard
{
    [JsonPropertyName("nodeName")]
    public string NodeName { get; set; } = "";

    [JsonPropertyName("volumeGeneration")]
    public long VolumeGeneration { get; set; }

    [JsonPropertyName("since")]
    public string Since { get; set; } = "";
}

/// <summary>Something that happened to a volume.</summary>
public sealed class LogicVolumeHistory
{
    [JsonPropertyName("at")]
    public string At { get; set; } = "";

    [JsonPropertyName("what")]
    public string What { get; set; } = "";
}
