using System.Threading.Channels;
using Carina.Grains.Events;
using Carina.Kubernetes.Client;
using Carina.Kubernetes.Resources;
using Carina.Silo.Storage.Kubernetes;
using k8s;

namespace Carina.Silo.Events;

/// <summary>
/// Events on LogicVolumes, and a failure's code and message in their status. Works behind what it is told of: what the
/// API server does not take is logged and forgotten.
/// </summary>
internal sealed partial class KubernetesVolumeEvents(
    IKubernetes client, TimeProvider time, ILogger<KubernetesVolumeEvents> logger) : BackgroundService, IVolumeEvents
{
    private const int MaxWaiting = 1000;
    private const int MaxAttempts = 5;
    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(10);

    private readonly CustomObjectClient<LogicVolume> _objects = client.LogicVolumes();
    private readonly KubernetesEvents _events = new(client, time);
    private readonly Channel<VolumeEvent> _waiting = Channel.CreateBounded<VolumeEvent>(
        new BoundedChannelOptions(MaxWaiting) { SingleReader = true });

    public void Report(VolumeEvent happened)
    {
        ArgumentNullException.ThrowIfNull(happened);
        if (!_waiting.Writer.TryWrite(happened))
        {
            LogNotTold(happened.VolumeId, happened.Reason, happened.Message, "too much else is waiting to be told");
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await foreach (var happened in _waiting.Reader.ReadAllAsync(stoppingToken).ConfigureAwait(false))
            {
                await TellAsync(happened, stoppingToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process stops.
        }
    }

    private async Task TellAsync(VolumeEvent happened, CancellationToken stop)
    {
        if (LogicVolumeNames.ObjectOf(happened.VolumeId) is not { } name)
        {
            return;
        }

        using var deadline = new CancellationTokenSource(_timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, stop);
        try
        {
            var item = await _objects.FindAsync(name, either.Token).ConfigureAwait(false);
            // What failed once and has been made since is no failure any more.
            var isPast = happened.Reason == VolumeEventReason.CreateVolumeFailed && item?.Status?.VolumeId is { Length: > 0 };
            if (happened.Code is not null && item is not null && !isPast)
            {
                await ShowFailureAsync(item, happened, either.Token).ConfigureAwait(false);
            }

            await _events.WriteAsync(
                LogicVolumeNames.Reference(name, item), happened.Code is not null, happened.Reason.ToString(), happened.Message, either.Token)
                .ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException && !stop.IsCancellationRequested)
        {
            LogNotTold(happened.VolumeId, happened.Reason, happened.Message, exception.Describe());
        }
    }

    private async Task ShowFailureAsync(LogicVolume? item, VolumeEvent happened, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < MaxAttempts && item is not null; attempt++)
        {
            var status = item.Status ??= new();
            var code = (int)happened.Code!.Value;
            if (status.Status == LogicVolumeStatus.Failed && status.Code == code && status.Message == happened.Message)
            {
                return;
            }

            (status.Status, status.Code, status.Message) = (LogicVolumeStatus.Failed, code, happened.Message);
            try
            {
                await _objects.ReplaceStatusAsync(item, cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (Exception exception) when (exception.IsConflict())
            {
                item = await _objects.FindAsync(item.Metadata.Name, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception.IsNotFound())
            {
                return;
            }
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Volume {VolumeId}: {Reason} ({Text}) could not be told to Kubernetes: {Problem}")]
    private partial void LogNotTold(string volumeId, VolumeEventReason reason, string text, string problem);
}
