using System.Text.Json;
using System.Text.Json.Serialization;
using k8s;
using k8s.Models;

namespace Carina.Kubernetes.Resources;

/// <summary>A node's pools and what is left of them (<c>kubectl get nsr</c>); named as the node.</summary>
public sealed class NodeStorageResource : IKubernetesObject<V1ObjectMeta>
{
    [JsonPropertyName("apiVersion")]
    public string ApiVersion { get; set; } = $"{CarinaApi.Group}/{CarinaApi.NodeStorageResourceVersion}";

    [JsonPropertyName("kind")]
    public string Kind { get; set; } = CarinaApi.NodeStorageResourceKind;

    [JsonPropertyName("metadata")]
    public V1ObjectMeta Metadata { get; set; } = new();

    [JsonPropertyName("spec")]
    public NodeStorageSpec? Spec { get; set; }

    [JsonPropertyName("status")]
    public NodeStorageStatus? Status { get; set; }
}

/// <summary>Whose storage it is.</summary>
public sealed class NodeStorageSpec
{
    [JsonPropertyName("nodeName")]
    public string NodeName { get; set; } = "";
}

/// <summary>What users see, and the ledger that it follows from: one write changes both.</summary>
public sealed class NodeStorageStatus
{
    [JsonPropertyName("syncTime")]
    public DateTime? SyncTime { get; set; }

    /// <summary>Whole GiB, without unit.</summary>
    [JsonPropertyName("capacity")]
    public IDictionary<string, string>? Capacity { get; set; }

    /// <inheritdoc cref="Capacity"/>
    [JsonPropertyName("allocatable")]
    public IDictionary<string, string>? Allocatable { get; set; }

    [JsonPropertyName("vgGroups")]
    public IList<VolumeGroupStatus>? VgGroups { get; set; }

    [JsonPropertyName("conditions")]
    public IList<V1Condition>? Conditions { get; set; }

    [JsonPropertyName("ledger")]
    public NodeStorageLedger? Ledger { get; set; }

    /// <summary>Fields of others (disks, raids): kept as they are.</summary>
    [JsonExtensionData]
    public IDictionary<string, JsonElement>? Further { get; set; }
}

/// <summary>A volume group as vgs shows it; bytes.</summary>
public sealed class VolumeGroupStatus
{
    [JsonPropertyName("vgName")]
    public string Name { get; set; } = "";

    [JsonPropertyName("pvCount")]
    public long PvCount { get; set; }

    [JsonPropertyName("lvCount")]
    public long LvCount { get; set; }

    [JsonPropertyName("vgAttr")]
    public string Attr { get; set; } = "";

    [JsonPropertyName("vgSize")]
    public long Size { get; set; }

    [JsonPropertyName("vgFree")]
    public long Free { get; set; }

    [JsonPropertyName("pvs")]
    public IList<PhysicalVolumeStatus> Pvs { get; set; } = [];
}

/// <summary>A physical volume as pvs shows it; bytes.</summary>
public sealed class PhysicalVolumeStatus
{
    [JsonPropertyName("pvName")]
    public string Name { get; set; } = "";

    [JsonPropertyName("vgName")]
    public string GroupName { get; set; } = "";

    [JsonPropertyName("pvFmt")]
    public string Format { get; set; } = "";

    [JsonPropertyName("pvAttr")]
    public string Attr { get; set; } = "";

    [JsonPropertyName("pvSize")]
    public long Size { get; set; }

    [JsonPropertyName("pvFree")]
    public long Free { get; set; }
}
