using System.Diagnostics.CodeAnalysis;
using Carina.Grains;
using Carina.Kubernetes.Client;
using Carina.Kubernetes.Watching;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Options;

namespace Carina.Silo.Fencing.Leases;

/// <summary>Whether the pod that a path belongs to opted in to failover.</summary>
internal sealed class PodOptIn(
    [FromKeyedServices(PodOptIn.OwnPods)] IResourceCache<V1Pod> pods,
    IKubernetes client,
    IOptions<SiloOptions> silo,
    IOptions<NodeLeaseOptions> options,
    TimeProvider time)
{
    /// <summary>Key of the cache that holds the pods of this node and no others.</summary>
    public const string OwnPods = "own pods";

    /// <summary>Selects the pods of a node.</summary>
    public static string SelectorOf(string nodeName) => $"spec.nodeName={nodeName}";

    /// <summary>Whether a pod that is known here already opted in; null when it is not known.</summary>
    public bool? FindKnown(string uid) => Find(pods.All, uid) is { } pod ? FailoverSwitch.IsOn(pod.Metadata.Annotations) : null;

    /// <summary>Null when that is not known, because the API server does not answer.</summary>
    public async Task<bool?> FindAsync(string targetPath, CancellationToken cancellationToken)
    {
        // Whoever is not the kubelet has no pod to ask.
        if (!TryReadUid(targetPath, out var uid))
            return false;

        if (Find(pods.All, uid) is { } known)
            return FailoverSwitch.IsOn(known.Metadata.Annotations);

        // The kubelet may be ahead of the watch.
        using var limit = new CancellationTokenSource(options.Value.RequestTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            var list = await client.CoreV1.ListPodForAllNamespacesAsync(
                fieldSelector: SelectorOf(silo.Value.NodeName), cancellationToken: either.Token).WaitAsync(either.Token).ConfigureAwait(false);
            return FailoverSwitch.IsOn(Find(list.Items, uid)?.Metadata.Annotations);
        }
        catch (Exception exception) when (
            (exception is OperationCanceledException || exception.IsUnreachable() || exception.IsForbidden())
            && !cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>
    /// Reads <c>…/pods/UID/volumes/kubernetes.io~csi/PV/mount</c>, or for a block device
    /// <c>…/volumeDevices/publish/PV/UID</c>.
    /// </summary>
    internal static bool TryReadUid(string targetPath, [NotNullWhen(true)] out string? uid)
    {
        uid = targetPath.Split('/') switch
        {
            [.., "pods", var pod, "volumes", "kubernetes.io~csi", _, "mount"] => pod,
            [.., "volumeDevices", "publish", _, var pod] => pod,
            _ => null,
        };
        return !string.IsNullOrEmpty(uid);
    }

    private static V1Pod? Find(IEnumerable<V1Pod> pods, string uid) => pods.FirstOrDefault(pod => pod.Metadata.Uid == uid);
}
