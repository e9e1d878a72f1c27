using Carina.Grains.Configuration;
using Carina.Grains.Failover;
using Carina.Kubernetes.Client;
using k8s;

namespace Carina.Silo.Failover;

/// <summary>
/// For how long the kubelets have not renewed leases of their own, for fast detection. What cannot be found out is not
/// known, and no reason to find a node lost.
/// </summary>
internal sealed partial class KubeletObserver(
    IKubernetes client, ICarinaConfigSource config, TimeProvider time, ILogger<KubeletObserver> logger) : IDisposable
{
    private const string Namespace = "kube-node-lease";

    // A kubelet renews four times in its lease's duration (kubelet: nodeLeaseRenewIntervalFraction), by default each 10 s.
    private const int RenewalsPerDuration = 4;
    private static readonly TimeSpan _shortestPeriod = TimeSpan.FromSeconds(10);
    private static readonly IReadOnlyDictionary<string, ObservedHeartbeat> _unknown = new Dictionary<string, ObservedHeartbeat>();

    private readonly LeaseSights _sights = new(time);
    private readonly SemaphoreSlim _looking = new(1, 1);
    private string _problem = "";

    /// <summary>The kubelets' leases by node; empty while fast detection is off, or when they cannot be had.</summary>
    public async Task<IReadOnlyDictionary<string, ObservedHeartbeat>> LookAsync(CancellationToken cancellationToken)
    {
        if (!config.Current.Failover.FastDetection)
        {
            return _unknown;
        }

        await _looking.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var asked = time.GetTimestamp();
            var answer = await client.CoordinationV1.ListNamespacedLeaseAsync(Namespace, cancellationToken: cancellationToken)
                .ConfigureAwait(false);
            _problem = "";
            return _sights.Take(answer.Items.Select(lease => (lease.Metadata.Name, lease)), asked)
                .ToDictionary(s => s.Key, s => new ObservedHeartbeat(s.Value.Silence, Period(s.Value.Lease.Spec?.LeaseDurationSeconds)));
        }
        catch (Exception exception) when (exception is not OutOfMemoryException && !cancellationToken.IsCancellationRequested)
        {
            var problem = exception.Describe();
            if (problem != _problem)
            {
                LogBlind(problem);
            }

            _problem = problem;
            return _unknown;
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

    private static TimeSpan Period(int? durationSeconds)
    {
        var period = TimeSpan.FromSeconds((durationSeconds ?? 0) / (double)RenewalsPerDuration);
        return period > _shortestPeriod ? period : _shortestPeriod;
    }

    [LoggerMessage(1, LogLevel.Warning, "The kubelets' leases cannot be read, so lost nodes are not detected fast: {Reason}")]
    private partial void LogBlind(string reason);
}
