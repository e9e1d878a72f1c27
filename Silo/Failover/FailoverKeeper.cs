using Carina.Grains.Failover;
using Carina.Kubernetes.Client;

namespace Carina.Silo.Failover;

/// <summary>How often a controller does its part.</summary>
internal static class FailoverCoordinatorPace
{
    /// <summary>Time between two calls that keep the coordinator running.</summary>
    public static readonly TimeSpan Calling = TimeSpan.FromSeconds(2);

    /// <summary>Time after which a controller looks at the leases itself, to be ready to take over.</summary>
    public static readonly TimeSpan Watching = TimeSpan.FromSeconds(2);
}

/// <summary>
/// In every controller: keeps the coordinator running wherever it is, and watches the nodes' leases, so that a new
/// coordinator need not begin to.
/// </summary>
internal sealed partial class FailoverKeeper(
    IGrainFactory grains,
    NodeLeaseObserver leases,
    KubeletObserver kubelets,
    TimeProvider time,
    ILogger<FailoverKeeper> logger) : BackgroundService
{
    private static readonly TimeSpan _limit = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(FailoverCoordinatorPace.Calling, time);
        do
        {
            await Task.WhenAll(
                TryAsync(token => grains.GetGrain<IFailoverCoordinatorGrain>(0).KeepRunningAsync(token).WaitAsync(token), stoppingToken),
                TryAsync(leases.KeepWatchingAsync, stoppingToken),
                TryAsync(kubelets.KeepWatchingAsync, stoppingToken));
        }
        while (await WaitAsync(timer, stoppingToken));
    }

    private async Task TryAsync(Func<CancellationToken, Task> call, CancellationToken stop)
    {
        using var limit = new CancellationTokenSource(_limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop);
        try
        {
            await call(either.Token);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            if (!stop.IsCancellationRequested)
            {
                LogFailed(exception.Describe());
            }
        }
    }

    private static async Task<bool> WaitAsync(PeriodicTimer timer, CancellationToken stop)
    {
        try
        {
            return await timer.WaitForNextTickAsync(stop);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Failover is not watched over at the moment: {Reason}; tries again")]
    private partial void LogFailed(string reason);
}
