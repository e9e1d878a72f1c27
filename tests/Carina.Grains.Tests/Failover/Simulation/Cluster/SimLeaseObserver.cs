using Carina.Grains.Failover;
using Carina.Grains.Tests.Failover.Simulation.Engine;

namespace Carina.Grains.Tests.Failover.Simulation.Cluster;

/// <summary>The rules of NodeLeaseObserver (Silo/Failover): by its own clock, and only while the API server answers.</summary>
internal sealed class SimLeaseObserver(SimCluster cluster, SimProcess process)
{
    private static readonly TimeSpan _longestGap = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan _watching = TimeSpan.FromSeconds(2);

    private readonly SortedDictionary<string, (long Version, long Since, SimLease Lease)> _seen = new(StringComparer.Ordinal);
    private Task _looking = Task.CompletedTask;
    private long? _lastAnswer;

    public async Task<IReadOnlyDictionary<string, ObservedLease>> LookAsync(CancellationToken cancellationToken)
    {
        var before = _looking;
        var turn = new TaskCompletionSource();
        _looking = turn.Task;
        try
        {
            await before;
            Take(await cluster.Network.AskApiAsync(process, () => cluster.Api.Leases.ToList(), cancellationToken));
            var now = process.Time.GetTimestamp();
            return _seen.ToDictionary(
                s => s.Key,
                s => new ObservedLease(
                    process.Time.GetElapsedTime(s.Value.Since, now),
                    s.Value.Lease.Renewal.Duration,
                    s.Value.Lease.Renewal.Guarded,
                    s.Value.Lease.Renewal.Fenced),
                StringComparer.Ordinal);
        }
        finally
        {
            turn.SetResult();
        }
    }

    public async Task KeepWatchingAsync(CancellationToken cancellationToken)
    {
        if (_lastAnswer is not { } last || process.Time.GetElapsedTime(last) > _watching)
        {
            await LookAsync(cancellationToken);
        }
    }

    private void Take(List<KeyValuePair<string, SimLease>> leases)
    {
        var now = process.Time.GetTimestamp();
        if (_lastAnswer is { } last && process.Time.GetElapsedTime(last, now) > _longestGap)
        {
            _seen.Clear();
        }

        _lastAnswer = now;
        foreach (var (node, lease) in leases)
        {
            _seen[node] = _seen.TryGetValue(node, out var before) && before.Version == lease.Version
                ? before with { Lease = lease }
                : (lease.Version, now, lease);
        }
    }
}
