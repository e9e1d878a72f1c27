using System.Collections.Concurrent;
using System.Threading.Channels;
using Carina.Kubernetes.Client;
using Carina.Kubernetes.Watching;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Options;
using Orleans.Configuration;

namespace Carina.Silo.Membership.Kubernetes;

/// <summary>
/// Tells the membership at once when a silo cannot be there any more: its pod was deleted, or its node. Any number of
/// silos may run it; a silo dies once.
/// </summary>
/// <remarks>
/// What it must never do is to take a replacement for the one that went. So a pod counts by its uid, which the silo
/// recorded when it joined; a node only for the silos that were members when its deletion was seen; and the API server
/// is asked again before anybody is declared dead, since caches lag behind one another. In doubt it does nothing: probes
/// find a dead silo seconds later.
/// </remarks>
internal sealed partial class DeletionWatch(
    [FromKeyedServices(DeletionWatch.PodsKey)] IResourceCache<V1Pod> pods,
    IResourceCache<V1Node> nodes,
    IResourceCache<OrleansMembership> table,
    IClusterMembershipService membership,
    ILocalSiloDetails self,
    IKubernetes client,
    IOptions<ClusterOptions> cluster,
    IOptions<KubernetesOptions> kubernetes,
    TimeProvider time,
    ILogger<DeletionWatch> logger) : BackgroundService
{
    /// <summary>Key of the cache of the silos' pods.</summary>
    public const string PodsKey = "silo-pods";

    private static readonly TimeSpan _patrol = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan _retry = TimeSpan.FromSeconds(2);

    /// <summary>Silos of nodes whose deletion was seen, until they are dead or the node turns out to be there.</summary>
    private readonly ConcurrentDictionary<string, string> _withoutNode = new(StringComparer.Ordinal);

    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var ofPods = pods.OnChange(change => Wake(change.New is null));
        using var ofNodes = nodes.OnChange(Note);
        using var ofTable = table.OnChange(_ => Wake(true));
        while (!stoppingToken.IsCancellationRequested)
        {
            var again = _patrol;
            try
            {
                if (pods.Synced.IsCompleted && !await PatrolAsync(stoppingToken))
                {
                    again = _retry;
                }
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                LogPatrolFailed(exception.Describe());
                again = _retry;
            }

            await SleepAsync(again, stoppingToken);
        }
    }

    private string Namespace => kubernetes.Value.Namespace;

    private IReadOnlyDictionary<string, MembershipRow> Living =>
        (table.Find(Namespace, cluster.Value.ClusterId)?.Spec.Rows ?? new Dictionary<string, MembershipRow>())
        .Where(r => r.Value.Status != nameof(SiloStatus.Dead) && r.Key != self.SiloAddress.ToParsableString())
        .ToDictionary();

    private void Wake(bool concernsUs)
    {
        if (concernsUs)
        {
            _wake.Writer.TryWrite(true);
        }
    }

    private void Note(ResourceChange<V1Node> change)
    {
        if (change is not { Old: { } old, New: null })
        {
            return;
        }

        foreach (var (silo, _) in Living.Where(r => r.Value.SiloName == old.Metadata.Name))
        {
            _withoutNode[silo] = old.Metadata.Name;
        }

        Wake(true);
    }

    /// <summary>Reports whom it finds; false when it has to look again soon.</summary>
    private async Task<bool> PatrolAsync(CancellationToken stop)
    {
        var living = Living;
        var done = true;
        foreach (var (silo, row) in living)
        {
            if (row.Pod is { } pod && pods.Find(Namespace, pod.Name)?.Metadata.Uid != pod.Uid
                && await IsGoneAsync(pod, stop))
            {
                LogPodGone(silo, row.SiloName, pod.Name, pod.Uid);
                await membership.TryKill(SiloAddress.FromParsableString(silo)).WaitAsync(stop);
                done = false;
            }
            else if (_withoutNode.TryGetValue(silo, out var node))
            {
                if (await IsGoneAsync(node, stop))
                {
                    LogNodeGone(silo, node);
                    await membership.TryKill(SiloAddress.FromParsableString(silo)).WaitAsync(stop);
                    done = false;
                }
                else
                {
                    _withoutNode.TryRemove(silo, out _);
                }
            }
        }

        foreach (var silo in _withoutNode.Keys.Where(s => !living.ContainsKey(s)))
        {
            _withoutNode.TryRemove(silo, out _);
        }

        // Orleans gives up without a word when somebody else writes the table just then.
        return done;
    }

    private async Task<bool> IsGoneAsync(MembershipPod pod, CancellationToken stop)
    {
        try
        {
            var now = await client.CoreV1.ReadNamespacedPodAsync(pod.Name, Namespace, cancellationToken: stop);
            return now.Metadata.Uid != pod.Uid;
        }
        catch (Exception exception) when (exception.IsNotFound())
        {
            return true;
        }
    }

    private async Task<bool> IsGoneAsync(string node, CancellationToken stop)
    {
        try
        {
            await client.CoreV1.ReadNodeAsync(node, cancellationToken: stop);
            return false;
        }
        catch (Exception exception) when (exception.IsNotFound())
        {
            return true;
        }
    }

    private async Task SleepAsync(TimeSpan longest, CancellationToken stop)
    {
        using var clock = new CancellationTokenSource(longest, time);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop, clock.Token);
        try
        {
            await _wake.Reader.ReadAsync(end.Token);
        }
        catch (OperationCanceledException)
        {
            // Time to look again, or the host stops.
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Reports silo {Silo} ({Name}) as dead: its pod {Pod} ({Uid}) was deleted")]
    private partial void LogPodGone(string silo, string name, string pod, string uid);

    [LoggerMessage(2, LogLevel.Warning, "Reports silo {Silo} as dead: its node {Node} was deleted")]
    private partial void LogNodeGone(string silo, string node);

    [LoggerMessage(3, LogLevel.Warning, "Could not look for deleted pods and nodes; tries again: {Reason}")]
    private partial void LogPatrolFailed(string reason);
}
