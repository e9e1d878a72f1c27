using k8s.Models;

namespace Carina.Webhook.Claims;

/// <summary>What must be known of a pod to find its claims; readable without the rest of it.</summary>
/// <param name="Namespace">The pod's namespace.</param>
/// <param name="Name">The pod's name; empty while only its <c>generateName</c> is given.</param>
/// <param name="StatefulSet">Name of the StatefulSet that controls the pod; empty when none does.</param>
/// <param name="Volumes">Its volumes that are claims.</param>
public sealed record PodOutline(string Namespace, string Name, string StatefulSet, IReadOnlyList<PodVolume> Volumes)
{
    /// <summary>Reads it from a pod.</summary>
    /// <param name="pod">The pod; unfinished ones (dry run, tests of the scheduler) too.</param>
    /// <param name="ns">Namespace when the pod does not say its own.</param>
    public static PodOutline Of(V1Pod pod, string ns)
    {
        ArgumentNullException.ThrowIfNull(pod);
        var volumes = new List<PodVolume>();
        foreach (var volume in pod.Spec?.Volumes ?? [])
        {
            if (volume.PersistentVolumeClaim?.ClaimName is { Length: > 0 } claim)
            {
                volumes.Add(new(volume.Name, claim, null));
            }
            else if (volume.Ephemeral?.VolumeClaimTemplate is { Spec: { } spec } template)
            {
                volumes.Add(new(volume.Name, "", ClaimTemplate.Of(template.Metadata, spec)));
            }
        }

        var metadata = pod.Metadata;
        var owner = metadata?.OwnerReferences?.FirstOrDefault(o =>
            o is { Controller: true, Kind: "StatefulSet" } && IsApps(o.ApiVersion));
        var own = metadata?.NamespaceProperty;
        return new(string.IsNullOrEmpty(own) ? ns : own, metadata?.Name ?? "", owner?.Name ?? "", volumes);
    }

    internal static bool IsApps(string? apiVersion) => apiVersion?.StartsWith("apps/", StringComparison.Ordinal) ?? false;
}

/// <summary>A pod's volume that is a claim.</summary>
/// <param name="Name">Its name in the pod.</param>
/// <param name="Claim">The claim's name; empty for an ephemeral volume.</param>
/// <param name="Template">An ephemeral volume's claim, as it will be made; null otherwise.</param>
public sealed record PodVolume(string Name, string Claim, ClaimTemplate? Template);

/// <summary>A claim to be.</summary>
/// <param name="StorageClass">Name of its class; null means the default one, empty means none.</param>
/// <param name="RequestedBytes">Its size.</param>
/// <param name="VolumeMode"><c>Filesystem</c> or <c>Block</c>.</param>
/// <param name="PersistentVolume">The volume it asks for by name; empty for any.</param>
public sealed record ClaimTemplate(string? StorageClass, long RequestedBytes, string VolumeMode, string PersistentVolume)
{
    private const string ClassAnnotation = "volume.beta.kubernetes.io/storage-class";

    internal static ClaimTemplate Of(V1ObjectMeta? metadata, V1PersistentVolumeClaimSpec? spec) => new(
        ClassOf(metadata?.Annotations, spec?.StorageClassName),
        BytesOf(spec?.Resources?.Requests),
        string.IsNullOrEmpty(spec?.VolumeMode) ? "Filesystem" : spec.VolumeMode,
        spec?.VolumeName ?? "");

    // The annotation comes first, as in Kubernetes itself (GetPersistentVolumeClaimClass).
    internal static string? ClassOf(IDictionary<string, string>? annotations, string? name) =>
        annotations is not null && annotations.TryGetValue(ClassAnnotation, out var older) ? older : name;

    private static long BytesOf(IDictionary<string, ResourceQuantity>? requests)
    {
        if (requests is null || !requests.TryGetValue("storage", out var quantity) || quantity is null)
        {
            return 0;
        }

        var bytes = decimal.Ceiling(quantity.ToDecimal());
        return bytes >= long.MaxValue ? long.MaxValue : bytes <= 0 ? 0 : (long)bytes;
    }
}
