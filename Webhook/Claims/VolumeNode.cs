using Carina.Grains;
using k8s.Models;

namespace Carina.Webhook.Claims;

/// <summary>Where a volume is.</summary>
internal static class VolumeNode
{
    /// <summary>
    /// The one node that the volume's affinity allows; it is what the scheduler obeys. Where that names no single node,
    /// the attribute that the driver wrote; empty when neither says.
    /// </summary>
    public static string Of(V1PersistentVolume volume)
    {
        var allowed = (volume.Spec?.NodeAffinity?.Required?.NodeSelectorTerms ?? [])
            .SelectMany(term => term.MatchExpressions ?? [])
            .Where(e => e is { Key: CarinaNames.TopologyKey, OperatorProperty: "In" })
            .SelectMany(e => e.Values ?? [])
            .Distinct(StringComparer.Ordinal)
            .Take(2)
            .ToList();
        if (allowed.Count == 1)
        {
            return allowed[0];
        }

        return volume.Spec?.Csi?.VolumeAttributes is { } attributes && attributes.TryGetValue(CarinaNames.Node, out var node)
            ? node
            : "";
    }
}
