using Carina.Grains.Failover;
using Carina.Kubernetes.Client;
using Carina.Silo.Storage.Kubernetes;
using Carina.Kubernetes.PodFit;
using k8s;
using k8s.Models;

namespace Carina.Silo.Failover;

// Where pods can go, and that they may.
internal sealed partial class KubernetesFailoverWorld
{
    public Task<IReadOnlyList<PodPlace>> FindPlacesAsync(VolumeGroup group, CancellationToken cancellationToken) =>
        ApiExceptions.GuardAsync(
            "Where the pods could go could not be found out",
            async () =>
            {
                var nodes = await ListNodesAsync(cancellationToken).ConfigureAwait(false);
                var pods = await ListPodsAsync(null, null, cancellationToken).ConfigureAwait(false);
                var namespaces = await client.CoreV1.ListNamespaceAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
                var cluster = new ClusterState(nodes, pods, namespaces.Items.ToDictionary(
                    n => n.Metadata.Name,
                    IReadOnlyDictionary<string, string> (n) => n.Metadata.Labels?.ToDictionary() ?? [],
                    StringComparer.Ordinal));
                var excluded = group.Volumes.Select(v => v.Move?.From.NodeName ?? v.NodeName)
                    .Concat(nodes.Select(n => n.Metadata.Name).Where(n => !directory.LiveNodes.Contains(n)))
                    .Concat(nodes.Where(n => IsAnnotated(n, FailoverNames.Evacuate)).Select(n => n.Metadata.Name))
                    .ToHashSet(StringComparer.Ordinal);
                var uids = group.Pods.Select(p => p.Uid).ToHashSet(StringComparer.Ordinal);
                var replaced = pods.Where(p => uids.Contains(p.Metadata.Uid)).ToList();
                var answers = new List<IReadOnlyList<NodeFit>>();
                foreach (var pod in replaced)
                {
                    var others = await FindOtherAffinitiesAsync(pod, group, cancellationToken).ConfigureAwait(false);
                    answers.Add(PodFit.Evaluate(pod, cluster, others, excluded));
                }

                // Without a pod nothing but the volume itself asks for anything.
                if (answers.Count == 0)
                {
                    answers.Add(PodFit.Evaluate(new V1Pod { Metadata = new(), Spec = new() }, cluster, [], excluded));
                }

                return Merge(answers);
            },
            cancellationToken);

    public Task<int> ReleaseAsync(IReadOnlyList<VolumePod> pods, bool force, CancellationToken cancellationToken) =>
        ApiExceptions.GuardAsync(
            "The pods could not be released",
            async () =>
            {
                var released = 0;
                foreach (var pod in pods)
                {
                    try
                    {
                        await client.CoreV1.DeleteNamespacedPodAsync(
                            pod.Name,
                            pod.Namespace,
                            new() { GracePeriodSeconds = force ? 0 : null, Preconditions = new() { Uid = pod.Uid } },
                            cancellationToken: cancellationToken).ConfigureAwait(false);
                        released++;
                        LogReleased($"{pod.Namespace}/{pod.Name}", pod.NodeName, force);
                        events.Report(new(
                            FailoverNames.Released,
                            $"Removed from node {pod.NodeName}, so that its successor can start elsewhere.",
                            Warning: false)
                        { Pods = [pod] });
                    }
                    catch (Exception exception) when (exception.IsNotFound() || exception.IsConflict())
                    {
                        // Gone, or another one of that name: neither is in the way.
                    }
                }

                return released;
            },
            cancellationToken);

    private async Task<IReadOnlyList<V1NodeSelector>> FindOtherAffinitiesAsync(
        V1Pod pod, VolumeGroup group, CancellationToken cancellationToken)
    {
        var moving = group.Volumes.Select(v => v.Name).ToHashSet(StringComparer.Ordinal);
        var found = new List<V1NodeSelector>();
        foreach (var name in ClaimsOf(pod))
        {
            try
            {
                var claim = await client.CoreV1.ReadNamespacedPersistentVolumeClaimAsync(
                    name, pod.Metadata.NamespaceProperty, cancellationToken: cancellationToken).ConfigureAwait(false);
                if (claim.Spec.VolumeName is { Length: > 0 } volume && !moving.Contains(volume)
                    && (await client.CoreV1.ReadPersistentVolumeAsync(volume, cancellationToken: cancellationToken).ConfigureAwait(false))
                        .Spec.NodeAffinity?.Required is { } required)
                {
                    found.Add(required);
                }
            }
            catch (Exception exception) when (exception.IsNotFound())
            {
                // A claim that is not there asks for no node.
            }
        }

        return found;
    }

    private static IReadOnlyList<PodPlace> Merge(List<IReadOnlyList<NodeFit>> answers) =>
    [
        .. answers.SelectMany(a => a)
            .GroupBy(f => f.NodeName, StringComparer.Ordinal)
            .Select(g => new PodPlace(
                g.Key,
                g.Select(f => f.Obstacle).FirstOrDefault(o => o.Length > 0) ?? "",
                g.Sum(f => f.PreferenceScore))),
    ];
}
