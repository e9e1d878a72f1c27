using Carina.Grains;
using Carina.Harness.Sidecars;
using k8s.Models;

namespace Carina.Harness.Failover;

/// <content>What is written to the API server.</content>
public partial class FailoverLab
{
    private static V1PersistentVolumeClaim Claim(string name) => new()
    {
        Metadata = new()
        {
            Name = name,
            Labels = new Dictionary<string, string> { ["kept"] = "yes" },
            Annotations = new Dictionary<string, string> { ["somebody.example/note"] = "mine" },
        },
        Spec = new()
        {
            AccessModes = ["ReadWriteOnce"],
            StorageClassName = "",
            VolumeName = "",
            Selector = new() { MatchLabels = new Dictionary<string, string> { ["nobody"] = name } },
            Resources = new() { Requests = new Dictionary<string, ResourceQuantity> { ["storage"] = new("96Mi") } },
        },
    };

    private static V1PersistentVolume Describe(PersistentVolume volume, V1PersistentVolumeClaim claim) => new()
    {
        Metadata = new()
        {
            Name = volume.Name,
            Labels = new Dictionary<string, string> { ["nobody"] = claim.Metadata.Name },
            Annotations = new Dictionary<string, string> { ["pv.kubernetes.io/provisioned-by"] = CarinaNames.Driver },
        },
        Spec = new()
        {
            Capacity = new Dictionary<string, ResourceQuantity> { ["storage"] = new("96Mi") },
            AccessModes = ["ReadWriteOnce"],
            PersistentVolumeReclaimPolicy = "Retain",
            StorageClassName = "",
            ClaimRef = new()
            {
                ApiVersion = "v1",
                Kind = "PersistentVolumeClaim",
                Name = claim.Metadata.Name,
                NamespaceProperty = Namespace,
                Uid = claim.Metadata.Uid,
            },
            Csi = new()
            {
                Driver = CarinaNames.Driver,
                VolumeHandle = volume.Handle,
                FsType = "ext4",
                VolumeAttributes = volume.Attributes.ToDictionary(),
            },
            NodeAffinity = new()
            {
                Required = new()
                {
                    NodeSelectorTerms =
                    [
                        new() { MatchExpressions = [new() { Key = CarinaNames.TopologyKey, OperatorProperty = "In", Values = [volume.Node] }] },
                    ],
                },
            },
        },
    };

    private static V1StatefulSet StatefulSet(string name, IDictionary<string, string> annotations, IReadOnlyList<string> claims) => new()
    {
        Metadata = new() { Name = name },
        Spec = new()
        {
            Replicas = 1,
            ServiceName = name,
            Selector = new() { MatchLabels = new Dictionary<string, string> { ["app"] = name } },
            Template = new()
            {
                Metadata = new() { Labels = new Dictionary<string, string> { ["app"] = name }, Annotations = annotations },
                Spec = new()
                {
                    Containers = [new() { Name = "database", Image = "none" }],
                    Volumes = [.. claims.Select(c => new V1Volume { Name = c, PersistentVolumeClaim = new() { ClaimName = c } })],
                },
            },
        },
    };
}
