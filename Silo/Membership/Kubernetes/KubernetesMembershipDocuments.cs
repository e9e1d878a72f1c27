using Carina.Kubernetes.Client;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Options;
using Orleans.Configuration;

namespace Carina.Silo.Membership.Kubernetes;

/// <summary>
/// Membership documents in the Kubernetes API: one <see cref="OrleansMembership"/> for version and rows, compared and
/// swapped by its resourceVersion, and one Lease per silo for its heartbeat, which therefore never touches the table.
/// </summary>
internal sealed partial class KubernetesMembershipDocuments(
    IKubernetes client,
    IOptions<KubernetesOptions> kubernetes,
    IOptions<KubernetesMembershipOptions> options,
    IOptions<ClusterMembershipOptions> membership,
    TimeProvider time,
    ILogger<KubernetesMembershipDocuments> logger) : IMembershipDocuments
{
    /// <summary>An API server that just started does not know the roles yet and forbids everything.</summary>
    private const int AttemptsWithoutRoles = 30;

    private static readonly TimeSpan _pause = TimeSpan.FromSeconds(2);

    private readonly MembershipFailures _failures = new(kubernetes.Value.Namespace);

    // Labels and annotations are others'; a replacement has to repeat them. Read before every write anyway.
    private OrleansMembership? _lastSeen;

    private string Namespace => kubernetes.Value.Namespace;

    public async Task EnsureAsync(string clusterId, CancellationToken cancellationToken)
    {
        ClusterIds.Validate(clusterId);

        // A node boots before its network does. A process that ended for it would be started again later and later.
        for (var attempt = 1; !await TryEnsureAsync(clusterId, attempt, cancellationToken); attempt++)
        {
            await Task.Delay(_pause, time, cancellationToken);
        }
    }

    private async Task<bool> TryEnsureAsync(string clusterId, int attempt, CancellationToken cancellationToken)
    {
        try
        {
            if (await FindAsync(clusterId, cancellationToken) is null)
            {
                await client.CustomObjects.CreateNamespacedCustomObjectAsync<OrleansMembership>(
                    NewObject(clusterId), OrleansMembership.Group, OrleansMembership.Version, Namespace,
                    OrleansMembership.Plural, fieldManager: HeartbeatLease.FieldManager,
                    cancellationToken: cancellationToken);
            }

            return true;
        }
        catch (Exception exception) when (exception.IsConflict())
        {
            // Another silo was first.
            return true;
        }
        catch (Exception exception) when (
            (exception.IsUnreachable() || (exception.IsForbidden() && attempt is > 1 and < AttemptsWithoutRoles))
            && !cancellationToken.IsCancellationRequested)
        {
            LogWaiting(attempt, exception.Describe());
            return false;
        }
        catch (Exception exception) when (_failures.Explain(exception, "make", clusterId) is { } explained)
        {
            throw explained;
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Cannot join the cluster yet (attempt {Attempt}); tries again: {Reason}")]
    private partial void LogWaiting(int attempt, string reason);

    public async Task<MembershipSnapshot> ReadAsync(string clusterId, CancellationToken cancellationToken)
    {
        ClusterIds.Validate(clusterId);
        try
        {
            var document = FindAsync(clusterId, cancellationToken);
            var leases = ListLeasesAsync(clusterId, cancellationToken);
            await Task.WhenAll(document, leases);
            var found = await document ?? throw _failures.Missing(clusterId);
            return new MembershipSnapshot(
                found.Spec.ToDocument(), found.Metadata.ResourceVersion, HeartbeatsOf(await leases));
        }
        catch (Exception exception) when (_failures.Explain(exception, "read", clusterId) is { } explained)
        {
            throw explained;
        }
    }

    public async Task<bool> TryWriteAsync(
        string clusterId, MembershipDocument document, string etag, CancellationToken cancellationToken)
    {
        ClusterIds.Validate(clusterId);
        try
        {
            var current = Volatile.Read(ref _lastSeen);
            if (current?.Metadata.ResourceVersion != etag || current.Metadata.Name != clusterId)
            {
                current = await FindAsync(clusterId, cancellationToken) ?? throw _failures.Missing(clusterId);
            }

            return current.Metadata.ResourceVersion == etag
                && await TryReplaceAsync(current.Metadata, document, cancellationToken);
        }
        catch (Exception exception) when (_failures.Explain(exception, "write", clusterId, document) is { } explained)
        {
            throw explained;
        }
    }

    public async Task BeatAsync(string clusterId, string silo, DateTime time, CancellationToken cancellationToken)
    {
        ClusterIds.Validate(clusterId);
        // As long as Orleans itself takes a heartbeat for fresh.
        var validity = membership.Value.IAmAliveTablePublishTimeout * membership.Value.NumMissedTableIAmAliveLimit;
        var lease = HeartbeatLease.Beat(Namespace, clusterId, SiloAddress.FromParsableString(silo), time, validity);
        if (options.Value.PodIn(Namespace) is { } pod)
        {
            HeartbeatLease.SetOwner(lease, pod);
        }

        try
        {
            await client.CoordinationV1.PatchNamespacedLeaseAsync(
                new V1Patch(lease, V1Patch.PatchType.ApplyPatch), lease.Metadata.Name, Namespace,
                fieldManager: HeartbeatLease.FieldManager, force: true, cancellationToken: cancellationToken);
        }
        catch (Exception exception) when (_failures.ExplainLease(exception) is { } explained)
        {
            throw explained;
        }
    }

    public async Task ForgetBeatsAsync(
        string clusterId, IReadOnlyCollection<string> silos, CancellationToken cancellationToken)
    {
        ClusterIds.Validate(clusterId);
        var leases = await ListLeasesAsync(clusterId, cancellationToken);
        foreach (var lease in leases.Where(l => silos.Contains(l.Spec?.HolderIdentity ?? "")))
        {
            await DeleteLeaseAsync(lease, cancellationToken);
        }
    }

    public async Task DeleteAsync(string clusterId, CancellationToken cancellationToken)
    {
        ClusterIds.Validate(clusterId);
        if (await FindAsync(clusterId, cancellationToken) is { } found)
        {
            await client.CustomObjects.DeleteNamespacedCustomObjectAsync(
                OrleansMembership.Group, OrleansMembership.Version, Namespace, OrleansMembership.Plural, clusterId,
                new V1DeleteOptions { Preconditions = new() { Uid = found.Metadata.Uid } },
                cancellationToken: cancellationToken);
        }

        foreach (var lease in await ListLeasesAsync(clusterId, cancellationToken))
        {
            await DeleteLeaseAsync(lease, cancellationToken);
        }
    }

    private async Task<bool> TryReplaceAsync(
        V1ObjectMeta metadata, MembershipDocument document, CancellationToken cancellationToken)
    {
        var next = new OrleansMembership { Metadata = metadata, Spec = OrleansMembershipSpec.From(document) };
        try
        {
            var written = await client.CustomObjects.ReplaceNamespacedCustomObjectAsync<OrleansMembership>(
                next, OrleansMembership.Group, OrleansMembership.Version, Namespace, OrleansMembership.Plural,
                metadata.Name, fieldManager: HeartbeatLease.FieldManager, cancellationToken: cancellationToken);
            Remember(written);
            return true;
        }
        catch (Exception exception) when (exception.IsConflict())
        {
            return false;
        }
    }

    private async Task<OrleansMembership?> FindAsync(string clusterId, CancellationToken cancellationToken)
    {
        try
        {
            var found = await client.CustomObjects.GetNamespacedCustomObjectAsync<OrleansMembership>(
                OrleansMembership.Group, OrleansMembership.Version, Namespace, OrleansMembership.Plural, clusterId,
                cancellationToken);
            Remember(found);
            return found;
        }
        catch (Exception exception) when (exception.IsNotFound())
        {
            return null;
        }
    }

    private void Remember(OrleansMembership found)
    {
        // Who owns which field is the server's to say.
        found.Metadata.ManagedFields = null;
        Volatile.Write(ref _lastSeen, found);
    }

    private OrleansMembership NewObject(string clusterId) => new()
    {
        Metadata = new()
        {
            Name = clusterId,
            NamespaceProperty = Namespace,
            Labels = new Dictionary<string, string> { [KubernetesMembershipOptions.ClusterLabel] = clusterId },
        },
    };

    private async Task<IList<V1Lease>> ListLeasesAsync(string clusterId, CancellationToken cancellationToken) =>
        (await client.CoordinationV1.ListNamespacedLeaseAsync(
            Namespace, labelSelector: $"{KubernetesMembershipOptions.ClusterLabel}={clusterId}",
            cancellationToken: cancellationToken)).Items;

    private async Task DeleteLeaseAsync(V1Lease lease, CancellationToken cancellationToken)
    {
        try
        {
            // At this very version: one that is renewed meanwhile belongs to somebody who lives.
            await client.CoordinationV1.DeleteNamespacedLeaseAsync(
                lease.Metadata.Name, Namespace,
                new V1DeleteOptions
                {
                    Preconditions = new() { Uid = lease.Metadata.Uid, ResourceVersion = lease.Metadata.ResourceVersion },
                },
                cancellationToken: cancellationToken);
        }
        catch (Exception exception) when (exception.IsNotFound() || exception.IsConflict())
        {
            // Gone already, or alive.
        }
    }

    private static Dictionary<string, DateTime> HeartbeatsOf(IEnumerable<V1Lease> leases)
    {
        var beats = new Dictionary<string, DateTime>(StringComparer.Ordinal);
        foreach (var lease in leases)
        {
            if (lease.Spec is { HolderIdentity: { } holder, RenewTime: { } time })
            {
                beats[holder] = time;
            }
        }

        return beats;
    }
}
