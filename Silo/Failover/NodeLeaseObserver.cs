using Carina.Grains.Failover;
using Carina.Kubernetes.Leases;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Options;
using Orleans.Configuration;

namespace Carina.Silo.Failover;

/// <summary>For how long the nodes' leases have not been renewed.</summary>
internal sealed class NodeLeaseObserver(
    IKubernetes client, string ns, string clusterId, TimeProvider time) : IDisposable
{
    private readonly LeaseSights _sights = new(time);
    private readonly SemaphoreSlim _looking = new(1, 1);

    /// <summary>The leases by node.</summary>
    /// <exception cref="Exception">The API server did not answer.</exception>
    public async Task<IReadOnlyDictionary<string, ObservedLease>> LookAsync(CancellationToken cancellationToken)
    {
        await _looking.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var asked = time.GetTimestamp();
            var answer = await client.CoordinationV1.ListNamespacedLeaseAsync(
                ns, labelSelector: $"{NodeLease.Label}={clusterId}", cancellationToken: cancellationToken).ConfigureAwait(false);
            return _sights.Take(answer.Items.Select(Name).OfType<(string, V1Lease)>(), asked)
                .ToDictionary(s => s.Key, s => Describe(s.Value.Lease, s.Value.Silence), StringComparer.Ordinal);
        }
        finally
        {
            _looking.Release();
        }
    }

    /// <summary>Looks, unless somebody did a moment ago; for a process that only wants to be ready to take over.</summary>
    public async Task KeepWatchingAsync(CancellationToken cancellationToken)
    {
        if (_sights.Age is not { } age || age > FailoverCoordinatorPace.Watching)
        {
            await LookAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public void Dispose() => _looking.Dispose();

    private static (string Node, V1Lease Lease)? Name(V1Lease lease) =>
        NodeLease.NodeOf(lease) is { } node ? (node, lease) : null;

    private static ObservedLease Describe(V1Lease lease, TimeSpan silence) => new(
        silence,
        TimeSpan.FromSeconds(Math.Max(1, lease.Spec?.LeaseDurationSeconds ?? int.MaxValue)),
        lease.Metadata.Annotations?.TryGetValue(NodeLease.Guarded, out var guarded) == true && guarded == "true",
        NodeLease.FencedIn(lease))
    {
        HasGuardProcess = NodeLease.HasGuardProcess(lease),
    };

    public static NodeLeaseObserver Create(IServiceProvider services) => new(
        services.GetRequiredService<IKubernetes>(),
        services.GetRequiredService<IOptions<Carina.Kubernetes.Client.KubernetesOptions>>().Value.Namespace,
        services.GetRequiredService<IOptions<ClusterOptions>>().Value.ClusterId,
        services.GetRequiredService<TimeProvider>());
}
