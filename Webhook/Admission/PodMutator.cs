using Carina.Grains;
using Carina.Grains.Configuration;
using Carina.Grains.Placement;
using Carina.Webhook.Claims;
using Carina.Webhook.Hosting;
using k8s.Models;
using Microsoft.Extensions.Options;

namespace Carina.Webhook.Admission;

/// <summary>
/// Decides what changes in a pod that uses Carina's volumes: its scheduler, unless somebody chose one, and the failover
/// switch of its StorageClass. Nothing depends on it for correctness: the default scheduler knows the capacity of nodes
/// too (CSIStorageCapacity), and a wrong node is refused when the volume is staged.
/// </summary>
internal sealed class PodMutator(
    IPodClaims claims, NamespaceOptOut namespaces, ICarinaConfigSource config, IOptions<WebhookOptions> options)
{
    // The API server fills in this name before it asks us, so that it is nobody's choice.
    private const string DefaultScheduler = "default-scheduler";

    public async ValueTask<PodMutation> DecideAsync(AdmittedPod pod, CancellationToken stop)
    {
        if (pod.HasAnnotation(CarinaNames.CustomScheduler))
        {
            return new($"left alone: annotation {CarinaNames.CustomScheduler}");
        }

        if (pod.Outline.Volumes.Count == 0)
        {
            return new("left alone: no claims");
        }

        var mayHaveScheduler = pod.Scheduler is "" or DefaultScheduler && pod.Node.Length == 0;
        var maySwitch = !CarinaNames.AllowMigrationSpellings.Any(pod.HasAnnotation);
        if (!mayHaveScheduler && !maySwitch)
        {
            return new("left alone: has its own scheduler and failover annotation");
        }

        var all = await claims.FindAsync(pod.Outline, stop).ConfigureAwait(false);
        var ours = all.Where(c => c.State != ClaimState.Unknown && !IsHostDirectory(c)).ToList();
        var schedules = ours.Count > 0
            || (options.Value.UnknownClaims == UnknownClaims.Schedule && all.Any(c => c.State == ClaimState.Unknown));
        var mutation = new PodMutation(
            schedules ? "uses Carina's volumes" : Explain(all),
            schedules && mayHaveScheduler ? options.Value.SchedulerName : null,
            maySwitch ? ours.Select(c => FindSwitch(c.StorageClass)).FirstOrDefault(s => s is not null) : null);
        return !mutation.IsEmpty && await namespaces.IsOutAsync(pod.Outline.Namespace, stop).ConfigureAwait(false)
            ? new($"left alone: namespace label {CarinaNames.WebhookLabel}")
            : mutation;
    }

    /// <summary>A directory of the host needs no room in a group: the default scheduler does (as since Carina 0.14).</summary>
    private bool IsHostDirectory(PodClaim claim)
    {
        var current = config.Current;
        var group = PoolName.Resolve(
            claim.Parameters.GetValueOrDefault(CarinaNames.DiskGroup, ""), current.Groups.Select(g => g.Name));
        return group.Length > 0 && current.FindGroup(group)?.Policy == PoolPolicy.Host;
    }

    // Carina read annotations only, its example wrote parameters (contract C17): both count, what it read comes first.
    private static string? FindSwitch(V1StorageClass? storageClass) =>
        storageClass?.GetAnnotation(CarinaNames.AllowMigration)
        ?? (storageClass?.Parameters is { } parameters
            && parameters.TryGetValue(CarinaNames.AllowMigration, out var value) && !string.IsNullOrWhiteSpace(value)
                ? value.Trim()
                : null);

    private static string Explain(IReadOnlyList<PodClaim> claims) =>
        claims.FirstOrDefault(c => c.State == ClaimState.Unknown) is { } unknown
            ? $"left alone: claim {unknown.Name} does not exist yet"
            : "left alone: no volume of Carina's";
}
