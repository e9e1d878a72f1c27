using System.Text.Json.Serialization;
using k8s;
using k8s.Models;

namespace Carina.Silo.Membership.Kubernetes;

/// <summary>The custom resource that holds an Orleans cluster's membership table, named as the cluster id.</summary>
internal sealed class OrleansMembership : IKubernetesObject<V1ObjectMeta>
{
    public const string Group = "carina.storage.io";
    public const string Version = "v1";
    public const string Plural = "orleansmemberships";
    public const string KindName = "OrleansMembership";

    [JsonPropertyName("apiVersion")]
    public string ApiVersion { get; set; } = $"{Group}/{Version}";

    [JsonPropertyName("kind")]
    public string Kind { get; set; } = KindName;

    [JsonPropertyName("metadata")]
    public V1ObjectMeta Metadata { get; set; } = new();

    [JsonPropertyName("spec")]
    public OrleansMembershipSpec Spec { get; set; } = new();
}

/// <summary>The table.</summary>
internal sealed class OrleansMembershipSpec
{
    [JsonPropertyName("version")]
    public int Version { get; set; }

    /// <summary>Number of active silos, for kubectl: a printer column cannot count.</summary>
    [JsonPropertyName("active")]
    public int Active { get; set; }

    [JsonPropertyName("rows")]
    public IReadOnlyDictionary<string, MembershipRow> Rows { get; set; } = new Dictionary<string, MembershipRow>();

    public static OrleansMembershipSpec From(MembershipDocument document) => new()
    {
        Version = document.Version,
        Active = document.Rows.Values.Count(r => r.Status == nameof(SiloStatus.Active)),
        Rows = document.Rows,
    };

    public MembershipDocument ToDocument() => new() { Version = Version, Rows = Rows };
}
