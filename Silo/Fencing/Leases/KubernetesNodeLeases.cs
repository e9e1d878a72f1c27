using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Kubernetes.Client;
using Carina.Kubernetes.Leases;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Options;
using Orleans.Configuration;

namespace Carina.Silo.Fencing.Leases;

/// <summary>
/// <see cref="INodeLeases"/> by server-side apply, compared and swapped: a request that was given up may still arrive,
/// and must not bring back what the lease said before.
/// </summary>
internal sealed class KubernetesNodeLeases(
    IKubernetes client,
    IOptions<KubernetesOptions> kubernetes,
    IOptions<ClusterOptions> cluster,
    IOptions<NodeLeaseOptions> options,
    ILeaseClock clock,
    TimeProvider time) : INodeLeases
{
    private const int Attempts = 4;

    // A silence that is younger than this is an answer: a node that asks two hundred others must not make each of them ask.
    private static readonly TimeSpan _memory = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();

    // Of this node's lease: whoever knows the version that it is at need not read it.
    private string? _version;
    private TimeSpan? _silentAt;

    private string Namespace => kubernetes.Value.Namespace;

    public async Task RenewAsync(NodeLeaseRenewal renewal, CancellationToken cancellationToken)
    {
        var version = Interlocked.Exchange(ref _version, null);
        Volatile.Write(ref _version, await WithinLimitAsync(stop => WriteAsync(renewal, version, stop), cancellationToken).ConfigureAwait(false));
    }

    public async Task<LeaseRenewalOutcome> RenewForAsync(NodeLeaseRenewal renewal, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_silentAt is { } at && clock.Elapsed - at < _memory)
                return LeaseRenewalOutcome.ApiUnreachable;
        }

        try
        {
            await WithinLimitAsync(stop => WriteAsync(renewal, null, stop), cancellationToken).ConfigureAwait(false);
            return LeaseRenewalOutcome.Renewed;
        }
        catch (StorageException exception) when (exception.Code == StorageErrorCode.Unavailable)
        {
            lock (_lock)
            {
                _silentAt = clock.Elapsed;
            }

            return LeaseRenewalOutcome.ApiUnreachable;
        }
    }

    public Task<DateTimeOffset?> FindLastAsync(string nodeName, CancellationToken cancellationToken) => WithinLimitAsync(
        async stop => (await FindAsync(NodeLease.NameOf(nodeName), stop).ConfigureAwait(false))?.Spec?.RenewTime is { } at
            ? ToTime(at)
            : (DateTimeOffset?)null,
        cancellationToken);

    /// <summary>Writes the renewal over an earlier one; returns the version that the lease is at then.</summary>
    private async Task<string> WriteAsync(NodeLeaseRenewal renewal, string? version, CancellationToken stop)
    {
        var lease = ToLease(renewal);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                if (version is null)
                {
                    var found = await FindAsync(lease.Metadata.Name, stop).ConfigureAwait(false);
                    if (found is null)
                    {
                        // Not an apply: that would not see that another renewal was faster.
                        var made = await client.CoordinationV1.CreateNamespacedLeaseAsync(
                            lease, Namespace, fieldManager: NodeLease.FieldManager, cancellationToken: stop).ConfigureAwait(false);
                        return made.Metadata.ResourceVersion;
                    }

                    if (found.Spec?.RenewTime is { } at && ToTime(at) >= renewal.RenewedAt)
                    {
                        // The same time is this very renewal: its answer was lost, or others were asked for it too.
                        return ToTime(at) == renewal.RenewedAt && found.Spec.HolderIdentity == renewal.Holder
                            ? found.Metadata.ResourceVersion
                            : throw new StorageException(
                                StorageErrorCode.Aborted, $"The lease of node '{renewal.NodeName}' was renewed later than {renewal.RenewedAt:O} already.");
                    }

                    version = found.Metadata.ResourceVersion;
                }

                lease.Metadata.ResourceVersion = version;
                var written = await client.CoordinationV1.PatchNamespacedLeaseAsync(
                    new V1Patch(lease, V1Patch.PatchType.ApplyPatch), lease.Metadata.Name, Namespace,
                    fieldManager: NodeLease.FieldManager, force: true, cancellationToken: stop).ConfigureAwait(false);
                return written.Metadata.ResourceVersion;
            }
            catch (Exception exception) when ((exception.IsConflict() || exception.IsNotFound()) && attempt < Attempts)
            {
                lease.Metadata.ResourceVersion = null;
                version = null;
            }
        }
    }

    private async Task<V1Lease?> FindAsync(string name, CancellationToken stop)
    {
        try
        {
            return await client.CoordinationV1.ReadNamespacedLeaseAsync(name, Namespace, cancellationToken: stop).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception.IsNotFound())
        {
            return null;
        }
    }

    private V1Lease ToLease(NodeLeaseRenewal renewal) => new()
    {
        ApiVersion = $"{V1Lease.KubeGroup}/{V1Lease.KubeApiVersion}",
        Kind = V1Lease.KubeKind,
        Metadata = new()
        {
            Name = NodeLease.NameOf(renewal.NodeName),
            NamespaceProperty = Namespace,
            Labels = new Dictionary<string, string> { [NodeLease.Label] = cluster.Value.ClusterId },
            Annotations = new Dictionary<string, string>
            {
                [NodeLease.Node] = renewal.NodeName,
                [NodeLease.Guarded] = renewal.Guarded ? "true" : "false",
                [NodeLease.Guard] = renewal.Guard switch
                {
                    LeaseGuard.Process => NodeLease.GuardProcess,
                    LeaseGuard.ProcessAndWatchdog => $"{NodeLease.GuardProcess},{NodeLease.GuardWatchdog}",
                    _ => NodeLease.GuardSilo,
                },
                [NodeLease.Fenced] = string.Join(',', renewal.Fenced),
            },
        },
        Spec = new()
        {
            HolderIdentity = renewal.Holder,
            LeaseDurationSeconds = Math.Max(1, (int)renewal.Duration.TotalSeconds),
            RenewTime = renewal.RenewedAt.UtcDateTime,
        },
    };

    // Whatever zone the library thinks that it read.
    private static DateTimeOffset ToTime(DateTime time) =>
        new(time.Kind == DateTimeKind.Local ? time.ToUniversalTime() : DateTime.SpecifyKind(time, DateTimeKind.Utc));

    private async Task<T> WithinLimitAsync<T>(Func<CancellationToken, Task<T>> request, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(options.Value.RequestTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await request(either.Token).WaitAsync(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new StorageException(
                StorageErrorCode.Unavailable,
                $"The API server did not answer within {options.Value.RequestTimeout.TotalSeconds:0.#} s.",
                exception);
        }
        catch (Exception exception) when (exception.IsUnreachable())
        {
            throw new StorageException(
                StorageErrorCode.Unavailable, $"The API server cannot be reached: {exception.Describe()}", exception);
        }
        catch (Exception exception) when (exception is not (StorageException or OperationCanceledException))
        {
            throw new StorageException(StorageErrorCode.Internal, $"The API server refused: {exception.Describe()}", exception);
        }
    }
}
