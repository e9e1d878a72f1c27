using System.Collections.Concurrent;
using k8s.Models;
using Microsoft.Extensions.Options;

namespace Carina.Webhook.Claims;

/// <summary>
/// Claims that a StatefulSet makes for its pods (<c>TEMPLATE-POD</c>). Looked up when they are not there, and kept for a
/// while: not all StatefulSets of a cluster are worth a watch for that.
/// </summary>
internal sealed class StatefulSetTemplates(ClaimObjects objects, IOptions<PodClaimsOptions> options, TimeProvider time)
{
    private const int MostRemembered = 1000;
    private readonly ConcurrentDictionary<(string Namespace, string Name), Remembered> _remembered = new();

    /// <summary>The template of a pod's claim; null when the pod has no StatefulSet, or that makes no such claim.</summary>
    public async ValueTask<ClaimTemplate?> FindAsync(PodOutline pod, string claim, CancellationToken stop)
    {
        var suffix = "-" + pod.Name;
        if (pod.StatefulSet.Length == 0 || pod.Name.Length == 0 || !claim.EndsWith(suffix, StringComparison.Ordinal))
        {
            return null;
        }

        var key = (pod.Namespace, pod.StatefulSet);
        if (!_remembered.TryGetValue(key, out var known) || time.GetUtcNow() > known.Until)
        {
            var set = await objects.FindStatefulSetAsync(pod.Namespace, pod.StatefulSet, stop).ConfigureAwait(false);
            if (set is null)
            {
                return null;
            }

            known = Remember(key, set);
        }

        return known.Templates.GetValueOrDefault(claim[..^suffix.Length]);
    }

    private Remembered Remember((string, string) key, V1StatefulSet set)
    {
        var templates = new Dictionary<string, ClaimTemplate>(StringComparer.Ordinal);
        foreach (var template in set.Spec?.VolumeClaimTemplates ?? [])
        {
            templates[template.Name()] = ClaimTemplate.Of(template.Metadata, template.Spec);
        }

        if (_remembered.Count >= MostRemembered)
        {
            _remembered.Clear();
        }

        return _remembered[key] = new(templates, time.GetUtcNow() + options.Value.TemplateLifetime);
    }

    private sealed record Remembered(Dictionary<string, ClaimTemplate> Templates, DateTimeOffset Until);
}
