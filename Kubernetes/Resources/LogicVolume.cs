using System.Text.Json;
using System.Text.Json.Serialization;
using k8s;
using k8s.Models;

namespace Carina.Kubernetes.Resources;

/// <summary>A volume (<c>kubectl get lv</c>); named as its PersistentVolume.</summary>
public sealed class LogicVolume : IKubernetesObject<V1ObjectMeta>, ISpec<LogicVolumeSpec>
{
    [JsonPropertyName("apiVersion")]
    public string ApiVersion { get; set; } = $"{CarinaApi.Group}/{CarinaApi.LogicVolumeVersion}";

    [JsonPropertyName("kind")]
    public string Kind { get; set; } = CarinaApi.LogicVolumeKind;

    [JsonPropertyName("metadata")]
    public V1ObjectMeta Metadata { get; set; } = new();

    [JsonPropertyName("spec")]
    public LogicVolumeSpec Spec { get; set; } = new();

    [JsonPropertyName("status")]
    public LogicVolumeStatus? Status { get; set; }
}

/// <summary>
/// What should exist. The first five fields are Carina's since 0.9; objects made by it have no others. Absent means
/// empty, or unknown.
/// </summary>
public sealed class LogicVolumeSpec
{
    [JsonPropertyName("nodeName")]
    public string? NodeName { get; set; }

    /// <summary>The size wanted.</summary>
    [JsonPropertyName("size")]
    public Quantity Size { get; set; }

    [JsonPropertyName("deviceGroup")]
    public string? DeviceGroup { get; set; }

    [JsonPropertyName("pvc")]
    public string? Pvc { get; set; }

    [JsonPropertyName("nameSpace")]
    public string? NameSpace { get; set; }

    /// <summary>The name asked for, where it is not the object's.</summary>
    [JsonPropertyName("volumeName")]
    public string? VolumeName { get; set; }

    /// <summary>The volume handle, where it is not <c>volume-</c> and the object's name.</summary>
    [JsonPropertyName("volumeID")]
    public string? VolumeId { get; set; }

    [JsonPropertyName("state")]
    public string? State { get; set; }

    [JsonPropertyName("manageType")]
    public string? ManageType { get; set; }

    /// <summary>The size that the disk has given.</summary>
    [JsonPropertyName("allocatedSize")]
    public Quantity? AllocatedSize { get; set; }

    [JsonPropertyName("volumeGeneration")]
    public long? VolumeGeneration { get; set; }

    /// <summary>The highest generation that a place was ever chosen for.</summary>
    [JsonPropertyName("lastGeneration")]
    public long? LastGeneration { get; set; }

    [JsonPropertyName("volumeMode")]
    public string? VolumeMode { get; set; }

    [JsonPropertyName("fsType")]
    public string? FsType { get; set; }

    [JsonPropertyName("devicePath")]
    public string? DevicePath { get; set; }

    /// <summary>RFC 3339; text, so that what was written is what is read.</summary>
    [JsonPropertyName("createdAt")]
    public string? CreatedAt { get; set; }

    [JsonPropertyName("capacityRange")]
    public LogicVolumeCapacityRange? CapacityRange { get; set; }

    [JsonPropertyName("parameters")]
    public IDictionary<string, string>? Parameters { get; set; }

    [JsonPropertyName("mutableParameters")]
    public IDictionary<string, string>? MutableParameters { get; set; }

    [JsonPropertyName("publishedNodes")]
    public IList<LogicVolumePublication>? PublishedNodes { get; set; }

    [JsonPropertyName("abandonedPlaces")]
    public IList<LogicVolumePlace>? AbandonedPlaces { get; set; }

    /// <summary>A move to another node that is under way.</summary>
    [JsonPropertyName("move")]
    public LogicVolumeMove? Move { get; set; }

    [JsonPropertyName("retiredCopies")]
    public IList<LogicVolumeCopy>? RetiredCopies { get; set; }

    [JsonPropertyName("guard")]
    public LogicVolumeGuard? Guard { get; set; }

    [JsonPropertyName("history")]
    public IList<LogicVolumeHistory>? History { get; set; }

    /// <summary>See <see cref="SpecChecksum"/>.</summary>
    [JsonPropertyName("checksum")]
    public string? Checksum { get; set; }

    /// <summary>Fields of later versions of the driver: kept as they are.</summary>
    [JsonExtensionData]
    public IDictionary<string, JsonElement>? Further { get; set; }

    /// <summary>Whether Carina up to 0.14 wrote this: none of our fields is there.</summary>
    [JsonIgnore]
    public bool IsLegacy => Checksum is null && State is null && VolumeGeneration is null && AllocatedSize is null;
}

/// <summary>Sizes asked for at creation.</summary>
public sealed class LogicVolumeCapacityRange
{
    [JsonPropertyName("requiredBytes")]
    public long? RequiredBytes { get; set; }

    [JsonPropertyName("limitBytes")]
    public long? LimitBytes { get; set; }
}

/// <summary>A node that a volume is published to.</summary>
public sealed class LogicVolumePublication
{
    [JsonPropertyName("nodeName")]
    public string NodeName { get; set; } = "";

    [JsonPropertyName("readOnly")]
    public bool ReadOnly { get; set; }
}

/// <summary>Where a generation of a volume may still be.</summary>
public sealed class LogicVolumePlace
{
    [JsonPropertyName("nodeName")]
    public string NodeName { get; set; } = "";

    [JsonPropertyName("deviceGroup")]
    public string DeviceGroup { get; set; } = "";

    [JsonPropertyName("volumeGeneration")]
    public long VolumeGeneration { get; set; }
}

/// <summary>What is; for people and tools.</summary>
public sealed class LogicVolumeStatus
{
    public const string Success = "Success";
    public const string Failed = "Failed";

    [JsonPropertyName("volumeID")]
    public string? VolumeId { get; set; }

    /// <summary>A gRPC code; null is 0.</summary>
    [JsonPropertyName("code")]
    public int? Code { get; set; }

    [JsonPropertyName("message")]
    public string? Message { get; set; }

    [JsonPropertyName("currentSize")]
    public Quantity? CurrentSize { get; set; }

    [JsonPropertyName("status")]
    public string? Status { get; set; }

    [JsonPropertyName("deviceMajor")]
    public long? DeviceMajor { get; set; }

    [JsonPropertyName("deviceMinor")]
    public long? DeviceMinor { get; set; }

    /// <summary>The spec that the driver acts upon, without its parameters.</summary>
    [JsonPropertyName("accepted")]
    public LogicVolumeSpec? Accepted { get; set; }

    [JsonPropertyName("conditions")]
    public IList<V1Condition>? Conditions { get; set; }

    [JsonExtensionData]
    public IDictionary<string, JsonElement>? Further { get; set; }
}
