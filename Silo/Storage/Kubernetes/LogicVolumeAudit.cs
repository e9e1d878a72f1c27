using System.Collections.Concurrent;
using Carina.Kubernetes.Client;
using Carina.Kubernetes.Resources;
using Carina.Kubernetes.Watching;
using k8s;

namespace Carina.Silo.Storage.Kubernetes;

/// <summary>
/// Sees every change of a LogicVolume and has a second look, a little later, at those that need one. Keeps no objects:
/// there may be a hundred thousand.
/// </summary>
internal sealed partial class LogicVolumeAudit(
    IKubernetes client,
    LogicVolumeInspector inspector,
    IEnumerable<ILogicVolumeObserver> observers,
    TimeProvider time,
    ILogger<LogicVolumeAudit> logger) : BackgroundService
{
    private const int ShortestWatchSeconds = 300;

    // The driver's own writes come in pairs: spec, then status.
    private static readonly TimeSpan _delay = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan _tick = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _retryDelay = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, DateTimeOffset> _due = new(StringComparer.Ordinal);
    private readonly ResourceSource<LogicVolume> _source = ResourceSources.Custom<LogicVolume>(
        client, CarinaApi.Group, CarinaApi.LogicVolumeVersion, CarinaApi.LogicVolumePlural);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(WatchAsync(stoppingToken), InspectAsync(stoppingToken));

    private async Task WatchAsync(CancellationToken stop)
    {
        string? version = null;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                version ??= await ListAsync(stop).ConfigureAwait(false);
                var seconds = ShortestWatchSeconds + Random.Shared.Next(ShortestWatchSeconds);
                await foreach (var (type, item) in _source.WatchAsync(version, seconds, stop).ConfigureAwait(false))
                {
                    if (type == WatchEventType.Error)
                    {
                        throw new IOException("The API server ended the watch.");
                    }

                    version = item.Metadata.ResourceVersion;
                    if (type is WatchEventType.Added or WatchEventType.Modified)
                    {
                        See(item);
                    }
                    else if (type == WatchEventType.Deleted)
                    {
                        foreach (var observer in observers)
                        {
                            observer.Lost(item);
                        }
                    }
                }
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                // Whatever it was, a new list sets it right.
                version = null;
                LogInterrupted(exception.Describe());
                await Task.Delay(_retryDelay, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task<string> ListAsync(CancellationToken stop)
    {
        for (string? next = null; ;)
        {
            var page = await _source.ListAsync(next, stop).ConfigureAwait(false);
            foreach (var item in page.Items)
            {
                See(item);
            }

            if (string.IsNullOrEmpty(page.Continue))
            {
                return page.Version;
            }

            next = page.Continue;
        }
    }

    private void See(LogicVolume item)
    {
        var name = item.Metadata.Name;
        foreach (var observer in observers)
        {
            observer.Saw(item);
        }

        if (inspector.NeedsAttention(item))
        {
            _due[name] = time.GetUtcNow() + _delay;
        }
        else
        {
            _due.TryRemove(name, out _);
        }
    }

    private async Task InspectAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(_tick, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stop).ConfigureAwait(false))
            {
                var now = time.GetUtcNow();
                foreach (var due in _due.Where(d => d.Value <= now))
                {
                    if (_due.TryRemove(due))
                    {
                        await InspectAsync(due.Key, stop).ConfigureAwait(false);
                    }
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The process stops.
        }
    }

    private async Task InspectAsync(string name, CancellationToken stop)
    {
        try
        {
            await inspector.InspectAsync(name, stop).ConfigureAwait(false);
        }
        catch (Exception exception) when (!stop.IsCancellationRequested)
        {
            LogFailed(name, exception.Describe());
            _due.TryAdd(name, time.GetUtcNow() + _retryDelay);
        }
    }

    [LoggerMessage(1, LogLevel.Information, "The watch of LogicVolumes was interrupted ({Reason}); lists them again")]
    private partial void LogInterrupted(string reason);

    [LoggerMessage(2, LogLevel.Warning, "LogicVolume {Name} could not be looked at ({Reason}); tries again")]
    private partial void LogFailed(string name, string reason);
}
