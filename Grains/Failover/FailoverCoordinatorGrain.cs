using Carina.Grains.Configuration;
using Carina.Grains.Volumes;
using Microsoft.Extensions.Logging;
using Orleans.Placement;

namespace Carina.Grains.Failover;

/// <summary>The shell around <see cref="FailoverCoordinator"/>.</summary>
[PreferLocalPlacement]
[GrainType("carina-failover-coordinator")]
internal sealed partial class FailoverCoordinatorGrain(
    IFailoverWorld world,
    IVolumeMoves volumes,
    ICarinaConfigSource config,
    ICrashPoints crash,
    TimeProvider time,
    ILoggerFactory loggers,
    ILogger<FailoverCoordinatorGrain> logger) : Grain, IFailoverCoordinatorGrain, IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly FailoverCoordinator _coordinator = new(world, volumes, config, crash, time, loggers);
    private IGrainTimer? _timer;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        LogStarted();
        _timer = this.RegisterGrainTimer(
            token => _coordinator.TickAsync(_stop.Token),
            new GrainTimerCreationOptions(FailoverCoordinator.Interval, FailoverCoordinator.Interval) { KeepAlive = true });
        return Task.CompletedTask;
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _timer?.Dispose();
        await _stop.CancelAsync();
        LogStopped(reason.Description);
    }

    public void Dispose() => _stop.Dispose();

    public Task KeepRunningAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(1, LogLevel.Information, "The failover coordinator runs here")]
    private partial void LogStarted();

    [LoggerMessage(2, LogLevel.Information, "The failover coordinator does not run here any more: {Reason}")]
    private partial void LogStopped(string reason);
}
