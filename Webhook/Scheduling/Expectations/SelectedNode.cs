using Carina.Grains.Volumes;
using k8s.Models;

namespace Carina.Webhook.Scheduling.Expectations;

/// <summary>What a claim says of the way to its volume.</summary>
internal static class SelectedNode
{
    // external-provisioner names volumes so (--volume-name-prefix). With another prefix a volume is counted twice from
    // its creation until its claim is bound: too careful, not wrong.
    private const string VolumeNamePrefix = "pvc-";

    private static readonly string[] _annotations =
    [
        "volume.kubernetes.io/selected-node",
        "volume.beta.kubernetes.io/selected-node",
        "volume.alpha.kubernetes.io/selected-node",
    ];

    /// <summary>The node that a scheduler chose for the claim; empty when none has, or its volume exists.</summary>
    public static string Of(V1PersistentVolumeClaim claim)
    {
        if (!string.IsNullOrEmpty(claim.Spec?.VolumeName) || claim.Metadata.Annotations is not { } annotations)
        {
            return "";
        }

        foreach (var name in _annotations)
        {
            if (annotations.TryGetValue(name, out var node) && node.Length > 0)
            {
                return node;
            }
        }

        return "";
    }

    /// <summary>Whether it is decided where the claim's volume is or will be.</summary>
    public static bool IsDecided(V1PersistentVolumeClaim claim) =>
        !string.IsNullOrEmpty(claim.Spec?.VolumeName) || Of(claim).Length > 0;

    /// <summary>Id of the volume that is made for a claim.</summary>
    public static string VolumeIdOf(string claimUid) => VolumeIds.FromName(VolumeNamePrefix + claimUid);
}
