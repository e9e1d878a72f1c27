using System.Threading.Channels;
using Carina.Kubernetes.Client;
using Carina.Kubernetes.Watching;
using Microsoft.Extensions.Options;
using Orleans.Configuration;

namespace Carina.Silo.Membership.Kubernetes;

/// <summary>
/// Has Orleans read the table as soon as the API server says that it changed. Without it, a silo that others cannot
/// reach would learn only at the next periodic read that it was declared dead.
/// </summary>
internal sealed partial class MembershipWatch(
    IResourceCache<OrleansMembership> cache,
    IClusterMembershipService membership,
    IHostApplicationLifetime lifetime,
    IOptions<ClusterOptions> cluster,
    IOptions<KubernetesOptions> kubernetes,
    IOptions<KubernetesMembershipOptions> options,
    TimeProvider time,
    ILogger<MembershipWatch> logger) : BackgroundService
{
    private static readonly TimeSpan _longestRead = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan _pause = TimeSpan.FromSeconds(1);

    // Only the newest version matters.
    private readonly Channel<int> _news = Channel.CreateBounded<int>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            // Until then Orleans reads the table itself, as part of joining.
            await Started().WaitAsync(stoppingToken);
            using var subscription = cache.OnChange(Note);
            if (cache.Find(kubernetes.Value.Namespace, cluster.Value.ClusterId) is { } known)
            {
                _news.Writer.TryWrite(known.Spec.Version);
            }

            await foreach (var version in _news.Reader.ReadAllAsync(stoppingToken))
            {
                await CatchUpAsync(version, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops.
        }
    }

    private Task Started()
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lifetime.ApplicationStarted.Register(() => started.TrySetResult());
        return started.Task;
    }

    private void Note(ResourceChange<OrleansMembership> change)
    {
        if (change.New is { } now)
        {
            _news.Writer.TryWrite(now.Spec.Version);
        }
        else
        {
            LogDeleted(cluster.Value.ClusterId, kubernetes.Value.Namespace);
        }
    }

    private async Task CatchUpAsync(int version, CancellationToken stop)
    {
        await Task.Delay(options.Value.GossipHeadStart, time, stop);
        var target = new MembershipVersion(version);
        while (membership.CurrentSnapshot.Version < target)
        {
            try
            {
                // Orleans reads again and again, without a pause, until it has the version. Should the object have been
                // put back to an older state, it never gets there.
                using var clock = new CancellationTokenSource(_longestRead, time);
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop, clock.Token);
                await membership.Refresh(target, limit.Token);
            }
            catch (Exception exception) when (!stop.IsCancellationRequested)
            {
                LogReadFailed(version, exception.Describe());
                await Task.Delay(_pause, time, stop);
            }

            if (_news.Reader.TryPeek(out _))
            {
                return;
            }
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Table version {Version} is announced but could not be read yet: {Reason}")]
    private partial void LogReadFailed(int version, string reason);

    [LoggerMessage(2, LogLevel.Error, "OrleansMembership '{ClusterId}' in namespace '{Namespace}' was deleted: no silo can join or be declared dead until one starts and makes it anew, upon which the present members restart")]
    private partial void LogDeleted(string clusterId, string @namespace);
}
