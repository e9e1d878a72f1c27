using Carina.Grains.Failover;
using Carina.Grains.Nodes;
using Carina.Grains.Volumes;
using Carina.Silo.Storage.Kubernetes;
using k8s;
using k8s.Models;

namespace Carina.Silo.Failover;

/// <summary><see cref="IFailoverWorld"/> by the Kubernetes API. Asks it each time: what is acted upon is never a cache's.</summary>
internal sealed partial class KubernetesFailoverWorld(
    IKubernetes client,
    NodeLeaseObserver leases,
    KubeletObserver kubelets,
    PersistentVolumeHoming homing,
    FailoverEvents events,
    VolumeRequests requests,
    INodeDirectory directory,
    ILogger<KubernetesFailoverWorld> logger) : IFailoverWorld
{
    private const string OutOfService = "node.kubernetes.io/out-of-service";
    private const int PageSize = 500;

    public async Task<IReadOnlyList<ObservedNode>> ObserveAsync(CancellationToken cancellationToken)
    {
        var looking = leases.LookAsync(cancellationToken);
        var listening = kubelets.LookAsync(cancellationToken);
        var nodes = await ListNodesAsync(cancellationToken).ConfigureAwait(false);
        var held = await looking.ConfigureAwait(false);
        var heard = await listening.ConfigureAwait(false);
        var live = directory.LiveNodes;
        var observed = nodes.Select(node => Observe(node, held, heard, live)).ToList();
        observed.AddRange(held.Keys.Where(name => !nodes.Any(n => n.Metadata.Name == name)).Select(name => new ObservedNode
        {
            Name = name,
            Exists = false,
            Ready = false,
            SiloLive = live.Contains(name),
            Lease = held[name],
        }));
        return observed;
    }

    public IReadOnlyList<VolumeRequest> Requests => requests.Open;

    public Task AnswerAsync(VolumeRequest request, CancellationToken cancellationToken) => requests.AnswerAsync(request, cancellationToken);

    public void Tell(FailoverNotice notice) => events.Report(notice);

    public async Task<string> RehomeAsync(
        VolumeRecord volume, Func<string, Task> remember, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(volume);
        return await ApiExceptions.GuardAsync(
            $"PersistentVolume '{volume.Name}' could not be bound to node '{volume.NodeName}'",
            async () => await homing.RehomeAsync(
                new(volume.Name, volume.VolumeId, volume.NodeName, volume.Move?.Manifest ?? ""), remember, cancellationToken)
                .ConfigureAwait(false)
                    ? $"PersistentVolume '{volume.Name}' is bound to node '{volume.NodeName}'."
                    : $"There is no PersistentVolume '{volume.Name}' that would have to be bound to node '{volume.NodeName}'.",
            cancellationToken).ConfigureAwait(false);
    }

    private static ObservedNode Observe(
        V1Node node,
        IReadOnlyDictionary<string, ObservedLease> held,
        IReadOnlyDictionary<string, ObservedHeartbeat> heard,
        IReadOnlyCollection<string> live) => new()
        {
            Name = node.Metadata.Name,
            Ready = node.Status?.Conditions?.FirstOrDefault(c => c.Type == "Ready")?.Status == "True",
            InMaintenance = node.Spec?.Unschedulable == true
                || IsAnnotated(node, FailoverNames.Maintenance),
            Evacuate = IsAnnotated(node, FailoverNames.Evacuate),
            OutOfService = node.Spec?.Taints?.Any(t => t.Key == OutOfService) == true,
            SiloLive = live.Contains(node.Metadata.Name),
            Lease = held.GetValueOrDefault(node.Metadata.Name),
            Kubelet = heard.GetValueOrDefault(node.Metadata.Name),
        };

    private static bool IsAnnotated(V1Node node, string key) =>
        node.Metadata.Annotations?.TryGetValue(key, out var value) == true && value == "true";

    private async Task<IReadOnlyList<V1Node>> ListNodesAsync(CancellationToken cancellationToken)
    {
        var nodes = new List<V1Node>();
        string? next = null;
        do
        {
            var page = await client.CoreV1.ListNodeAsync(limit: PageSize, continueParameter: next, cancellationToken: cancellationToken)
                .ConfigureAwait(false);
            nodes.AddRange(page.Items);
            next = page.Metadata.ContinueProperty;
        }
        while (!string.IsNullOrEmpty(next));
        return nodes;
    }

    private async Task<IReadOnlyList<V1Pod>> ListPodsAsync(string? ns, string? fieldSelector, CancellationToken cancellationToken)
    {
        var pods = new List<V1Pod>();
        string? next = null;
        do
        {
            var page = ns is null
                ? await client.CoreV1.ListPodForAllNamespacesAsync(
                    fieldSelector: fieldSelector, limit: PageSize, continueParameter: next, cancellationToken: cancellationToken).ConfigureAwait(false)
                : await client.CoreV1.ListNamespacedPodAsync(
                    ns, fieldSelector: fieldSelector, limit: PageSize, continueParameter: next, cancellationToken: cancellationToken).ConfigureAwait(false);
            pods.AddRange(page.Items);
            next = page.Metadata.ContinueProperty;
        }
        while (!string.IsNullOrEmpty(next));
        return pods;
    }

    [LoggerMessage(1, LogLevel.Warning, "Pod {Pod} was removed from node {Node} (force: {Force})")]
    private partial void LogReleased(string pod, string node, bool force);
}
