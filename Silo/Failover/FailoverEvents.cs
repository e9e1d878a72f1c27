using System.Threading.Channels;
using Carina.Grains.Failover;
using Carina.Kubernetes.Client;
using Carina.Silo.Events;
using Carina.Silo.Storage.Kubernetes;
using k8s;
using k8s.Models;

namespace Carina.Silo.Failover;

/// <summary>
/// Events on pods, claims, volumes and nodes. Works behind what it is told of: what the API server does not take is logged
/// and forgotten.
/// </summary>
internal sealed partial class FailoverEvents(
    IKubernetes client, TimeProvider time, ILogger<FailoverEvents> logger) : BackgroundService
{
    private const int MaxWaiting = 2000;
    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(10);

    private readonly KubernetesEvents _events = new(client, time);
    private readonly Channel<FailoverNotice> _waiting = Channel.CreateBounded<FailoverNotice>(
        new BoundedChannelOptions(MaxWaiting) { SingleReader = true });

    public void Report(FailoverNotice notice)
    {
        if (!_waiting.Writer.TryWrite(notice))
        {
            LogNotTold(notice.Reason, notice.Message, "too much else is waiting to be told");
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await foreach (var notice in _waiting.Reader.ReadAllAsync(stoppingToken).ConfigureAwait(false))
            {
                foreach (var about in Concerned(notice))
                {
                    await TellAsync(about, notice, stoppingToken).ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process stops.
        }
    }

    private async Task TellAsync(V1ObjectReference about, FailoverNotice notice, CancellationToken stop)
    {
        using var deadline = new CancellationTokenSource(_timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, stop);
        try
        {
            if (about is { Kind: V1PersistentVolumeClaim.KubeKind, Uid: null })
            {
                about.Uid = (await client.CoreV1.ReadNamespacedPersistentVolumeClaimAsync(
                    about.Name, about.NamespaceProperty, cancellationToken: either.Token).ConfigureAwait(false)).Metadata.Uid;
            }

            await _events.WriteAsync(about, notice.Warning, notice.Reason, notice.Message, either.Token).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException && !stop.IsCancellationRequested)
        {
            LogNotTold(notice.Reason, notice.Message, exception.Describe());
        }
    }

    private static IEnumerable<V1ObjectReference> Concerned(FailoverNotice notice)
    {
        foreach (var pod in notice.Pods)
        {
            yield return new() { ApiVersion = "v1", Kind = V1Pod.KubeKind, Name = pod.Name, NamespaceProperty = pod.Namespace, Uid = pod.Uid };
        }

        foreach (var volume in notice.Volumes)
        {
            var (ns, claim) = (
                volume.Parameters.GetValueOrDefault(VolumeParameters.ClaimNamespace, ""),
                volume.Parameters.GetValueOrDefault(VolumeParameters.ClaimName, ""));
            if (claim.Length > 0)
            {
                yield return new() { ApiVersion = "v1", Kind = V1PersistentVolumeClaim.KubeKind, Name = claim, NamespaceProperty = ns };
            }

            if (LogicVolumeNames.ObjectOf(volume.VolumeId) is { } name)
            {
                yield return LogicVolumeNames.Reference(name, null);
            }
        }

        if (notice.NodeName.Length > 0)
        {
            // As the kubelet has it: a Node's Events bear its name as uid.
            yield return new() { ApiVersion = "v1", Kind = V1Node.KubeKind, Name = notice.NodeName, Uid = notice.NodeName };
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "{Reason} ({Text}) could not be told to Kubernetes: {Problem}")]
    private partial void LogNotTold(string reason, string text, string problem);
}
