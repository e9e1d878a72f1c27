using Carina.Grains.Failover;
using Carina.Kubernetes.Leases;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Options;
using Orleans.Configuration;

namespace Carina.Silo.Failover;

/// <summary>
/// How long the nodes' leases have not changed, by this process' own clock and with the API server answering all the
/// time. Nobody's wall clock counts, and what was missed while the API server was silent is not held against a node.
/// </summary>
internal sealed class NodeLeaseObserver(
    IKubernetes client, string ns, string clusterId, TimeProvider time) : IDisposable
{
    /// <summary>
    /// Longest time between two answers of the API server that still counts as watching. A node gets back to it when it
    /// can be reached again, and needs that long to renew.
    /// </summary>
    public static readonly TimeSpan LongestGap = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, Sight> _seen = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _looking = new(1, 1);
    private long? _lastAnswer;

    private sealed record Sight(string Version, long Since, V1Lease Lease);

    /// <summary>The leases by node.</summary>
    /// <exception cref="Exception">The API server did not answer.</exception>
    public async Task<IReadOnlyDictionary<string, ObservedLease>> LookAsync(CancellationToken cancellationToken)
    {
        await _looking.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var answer = await client.CoordinationV1.ListNamespacedLeaseAsync(
                ns, labelSelector: $"{NodeLease.Label}={clusterId}", cancellationToken: cancellationToken).ConfigureAwait(false);
            Take(answer.Items);
            var now = time.GetTimestamp();
            return _seen.ToDictionary(s => s.Key, s => Describe(s.Value, now), StringComparer.Ordinal);
        }
        finally
        {
            _looking.Release();
        }
    }

    /// <summary>Looks, unless somebody did a moment ago; for a process that only wants to be ready to take over.</summary>
    public async Task KeepWatchingAsync(CancellationToken cancellationToken)
    {
        if (_lastAnswer is not { } last || time.GetElapsedTime(last) > FailoverCoordinatorPace.Watching)
        {
            await LookAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public void Dispose() => _looking.Dispose();

    private void Take(IList<V1Lease> leases)
    {
        var now = time.GetTimestamp();
        if (_lastAnswer is { } last && time.GetElapsedTime(last, now) > LongestGap)
        {
            _seen.Clear();
        }

        _lastAnswer = now;
        var present = new HashSet<string>(StringComparer.Ordinal);
        foreach (var lease in leases)
        {
            if (NodeLease.NodeOf(lease) is not { } node)
            {
                continue;
            }

            present.Add(node);
            var version = $"{lease.Metadata.Uid}/{lease.Spec?.HolderIdentity}/{lease.Spec?.RenewTime:O}";
            _seen[node] = _seen.TryGetValue(node, out var before) && before.Version == version
                ? before with { Lease = lease }
                : new(version, now, lease);
        }

        foreach (var gone in _seen.Keys.Where(node => !present.Contains(node)).ToList())
        {
            _seen.Remove(gone);
        }
    }

    private ObservedLease Describe(Sight sight, long now) => new(
        time.GetElapsedTime(sight.Since, now),
        TimeSpan.FromSeconds(Math.Max(1, sight.Lease.Spec?.LeaseDurationSeconds ?? int.MaxValue)),
        sight.Lease.Metadata.Annotations?.TryGetValue(NodeLease.Guarded, out var guarded) == true && guarded == "true",
        NodeLease.FencedIn(sight.Lease));

    public static NodeLeaseObserver Create(IServiceProvider services) => new(
        services.GetRequiredService<IKubernetes>(),
        services.GetRequiredService<IOptions<Carina.Kubernetes.Client.KubernetesOptions>>().Value.Namespace,
        services.GetRequiredService<IOptions<ClusterOptions>>().Value.ClusterId,
        services.GetRequiredService<TimeProvider>());
}
