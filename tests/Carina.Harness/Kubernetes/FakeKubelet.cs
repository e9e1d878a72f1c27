using System.Collections.Concurrent;
using System.Net;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Carina.Harness.Kubernetes;

/// <summary>
/// Plays the kubelets of fake nodes: a pod that is bound to one of them becomes Running, a deleted one goes. There are
/// no containers, no probes, no pod addresses, and no volumes but those a test's <see cref="PodLife"/> takes care of.
/// </summary>
public sealed class FakeKubelet : IAsyncDisposable
{
    // Ends a watch now and then, so that a silent one does no harm.
    private const int WatchSeconds = 30;
    private static readonly TimeSpan _retryInterval = TimeSpan.FromMilliseconds(500);
    private readonly IKubernetes _client;
    private readonly FakeNodes _nodes;
    private readonly PodLife _life;
    private readonly ConcurrentQueue<string> _errors = new();
    private readonly Dictionary<string, KnownPod> _pods = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;

    private FakeKubelet(IKubernetes client, FakeNodes nodes, PodLife life)
    {
        (_client, _nodes, _life) = (client, nodes, life);
        _loop = FollowAsync(_stop.Token);
    }

    /// <summary>What went wrong, and was or is tried again.</summary>
    public IReadOnlyCollection<string> Errors => [.. _errors];

    /// <param name="client">Who may read pods, write their status and delete them.</param>
    /// <param name="nodes">The nodes, also those that are added later.</param>
    /// <param name="life">What to do with volumes; nothing by default.</param>
    public static FakeKubelet Start(IKubernetes client, FakeNodes nodes, PodLife? life = null) =>
        new(client, nodes, life ?? new());

    /// <summary>Stops as a kubelet that is killed: pods stay as they are.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        await Task.WhenAll(_pods.Values.Select(p => p.Work));
        foreach (var pod in _pods.Values)
        {
            pod.Starting.Dispose();
        }

        _stop.Dispose();
    }

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await FollowOnceAsync(cancellationToken);
            }
            catch (Exception exception)
            {
                await RecordAsync("watching pods", exception, cancellationToken);
            }
        }
    }

    private async Task FollowOnceAsync(CancellationToken cancellationToken)
    {
        var list = await _client.CoreV1.ListPodForAllNamespacesAsync(cancellationToken: cancellationToken);
        var present = list.Items.Select(p => p.Uid()).ToHashSet();
        foreach (var known in _pods.Values.Where(k => !present.Contains(k.Pod.Uid())).ToList())
        {
            End(known);
            _pods.Remove(known.Pod.Uid());
        }

        foreach (var pod in list.Items)
        {
            Handle(pod);
        }

        var events = _client.CoreV1.WatchListPodForAllNamespacesAsync(
            resourceVersion: list.ResourceVersion(), timeoutSeconds: WatchSeconds, cancellationToken: cancellationToken);
        await foreach (var (type, pod) in events)
        {
            if (type is WatchEventType.Added or WatchEventType.Modified)
            {
                Handle(pod);
            }
            else if (type == WatchEventType.Deleted && _pods.TryGetValue(pod.Uid(), out var known))
            {
                End(known);
            }
        }
    }

    private void Handle(V1Pod pod)
    {
        if (pod.Spec.NodeName is not { } node || !_nodes.Names.Contains(node))
        {
            return;
        }

        if (!_pods.TryGetValue(pod.Uid(), out var known))
        {
            known = new(pod, CancellationTokenSource.CreateLinkedTokenSource(_stop.Token));
            _pods.Add(pod.Uid(), known);
            if (pod.Status.Phase == "Pending" && pod.Metadata.DeletionTimestamp is null)
            {
                known.Work = RunAsync(pod, known.Starting.Token);
            }
        }

        if (pod.Metadata.DeletionTimestamp is not null)
        {
            End(known);
        }
    }

    private void End(KnownPod known)
    {
        if (!known.Ending)
        {
            known.Ending = true;
            known.Work = EndAsync(known, known.Work, _stop.Token);
        }
    }

    private Task RunAsync(V1Pod pod, CancellationToken cancellationToken) => PersistAsync(
        $"starting {pod.Namespace()}/{pod.Name()}",
        async () =>
        {
            await _life.BeforeRunning(pod, cancellationToken);
            await IgnoreAsync([HttpStatusCode.NotFound], () => _client.CoreV1.PatchNamespacedPodStatusAsync(
                new(new V1Pod { Status = Running(pod) }, V1Patch.PatchType.StrategicMergePatch),
                pod.Name(),
                pod.Namespace(),
                cancellationToken: cancellationToken));
        },
        cancellationToken);

    private async Task EndAsync(KnownPod known, Task starting, CancellationToken cancellationToken)
    {
        await known.Starting.CancelAsync();
        await starting;
        var pod = known.Pod;
        await PersistAsync(
            $"ending {pod.Namespace()}/{pod.Name()}",
            async () =>
            {
                await _life.BeforeGone(pod, cancellationToken);
                // Conflict: another pod has the name now.
                HttpStatusCode[] gone = [HttpStatusCode.NotFound, HttpStatusCode.Conflict];
                await IgnoreAsync(gone, () => _client.CoreV1.DeleteNamespacedPodAsync(
                    pod.Name(),
                    pod.Namespace(),
                    new() { GracePeriodSeconds = 0, Preconditions = new() { Uid = pod.Uid() } },
                    cancellationToken: cancellationToken));
            },
            cancellationToken);
    }

    private static V1PodStatus Running(V1Pod pod)
    {
        var now = DateTime.UtcNow;
        return new()
        {
            Phase = "Running",
            StartTime = now,
            Conditions = [.. new[] { "Initialized", "ContainersReady", "Ready" }.Select(type =>
                new V1PodCondition { Type = type, Status = "True", LastTransitionTime = now })],
            ContainerStatuses = [.. pod.Spec.Containers.Select(c => new V1ContainerStatus
            {
                Name = c.Name,
                Image = c.Image,
                ImageID = "none",
                Ready = true,
                Started = true,
                State = new() { Running = new() { StartedAt = now } },
            })],
        };
    }

    // As often as it takes: until the pod is deleted or the kubelet stops.
    private async Task PersistAsync(string what, Func<Task> work, CancellationToken cancellationToken)
    {
        // The loop that found the pod goes on.
        await Task.Yield();
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await work();
                return;
            }
            catch (Exception exception)
            {
                await RecordAsync(what, exception, cancellationToken);
            }
        }
    }

    private async Task RecordAsync(string what, Exception exception, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return;
        }

        var details = exception is HttpOperationException { Response.Content: var content } ? content : "";
        _errors.Enqueue($"{what}: {exception.Message} {details}".TrimEnd());
        await Task.Delay(_retryInterval, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static async Task IgnoreAsync(HttpStatusCode[] ignored, Func<Task> call)
    {
        try
        {
            await call();
        }
        catch (HttpOperationException exception) when (ignored.Contains(exception.Response.StatusCode))
        {
        }
    }

    private sealed class KnownPod(V1Pod pod, CancellationTokenSource starting)
    {
        public V1Pod Pod => pod;

        public CancellationTokenSource Starting => starting;

        public Task Work { get; set; } = Task.CompletedTask;

        public bool Ending { get; set; }
    }
}
