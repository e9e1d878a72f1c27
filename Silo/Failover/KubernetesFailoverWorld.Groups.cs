using Carina.Grains;
using Carina.Grains.Failover;
using Carina.Grains.Volumes;
using Carina.Kubernetes.Client;
using Carina.Silo.Storage.Kubernetes;
using k8s;
using k8s.Models;

namespace Carina.Silo.Failover;

// Who uses the volumes of a node.
internal sealed partial class KubernetesFailoverWorld
{
    private const string Bound = "Bound";

    private sealed record Usage(VolumeRecord Volume, bool ClassOptsIn, IReadOnlyList<V1Pod> Pods);

    public Task<IReadOnlyList<VolumeGroup>> FindGroupsAsync(
        string node, IReadOnlyList<VolumeRecord> volumes, CancellationToken cancellationToken) => ApiExceptions.GuardAsync(
            $"Who uses the volumes of node '{node}' could not be found out",
            async () =>
            {
                var here = await ListPodsAsync(null, $"spec.nodeName={node}", cancellationToken).ConfigureAwait(false);
                var waiting = new Dictionary<string, IReadOnlyList<V1Pod>>(StringComparer.Ordinal);
                var classes = new Dictionary<string, bool>(StringComparer.Ordinal);
                var usages = new List<Usage>();
                foreach (var volume in volumes)
                {
                    if (await FindUsageAsync(volume, here, waiting, classes, cancellationToken).ConfigureAwait(false) is { } usage)
                    {
                        usages.Add(usage);
                    }
                }

                return Join(usages);
            },
            cancellationToken);

    /// <summary>Null when no claim is bound to the volume: nobody waits for it.</summary>
    private async Task<Usage?> FindUsageAsync(
        VolumeRecord volume,
        IReadOnlyList<V1Pod> here,
        Dictionary<string, IReadOnlyList<V1Pod>> waiting,
        Dictionary<string, bool> classes,
        CancellationToken cancellationToken)
    {
        var claim = await FindClaimAsync(volume, cancellationToken).ConfigureAwait(false);
        if (claim is null)
        {
            return null;
        }

        var (ns, name, className) = claim.Value;
        if (!waiting.TryGetValue(ns, out var unscheduled))
        {
            unscheduled = await ListPodsAsync(ns, "spec.nodeName=", cancellationToken).ConfigureAwait(false);
            waiting.Add(ns, unscheduled);
        }

        var pods = here.Where(p => p.Metadata.NamespaceProperty == ns).Concat(unscheduled)
            .Where(p => p.Status?.Phase is not ("Succeeded" or "Failed") && ClaimsOf(p).Contains(name))
            .ToList();
        return new(volume, await OptsInAsync(volume, className, classes, cancellationToken).ConfigureAwait(false), pods);
    }

    /// <summary>The claim that the volume's PersistentVolume is bound to, and its class.</summary>
    private async Task<(string Namespace, string Name, string Class)?> FindClaimAsync(
        VolumeRecord volume, CancellationToken cancellationToken)
    {
        V1PersistentVolume item;
        try
        {
            item = await client.CoreV1.ReadPersistentVolumeAsync(volume.Name, cancellationToken: cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception.IsNotFound())
        {
            // In the middle of being bound to its new node it exists only in the volume's record.
            if (volume.Move?.Manifest is not { Length: > 0 } manifest)
            {
                return null;
            }

            item = KubernetesJson.Deserialize<V1PersistentVolume>(manifest);
        }

        var isOurs = item.Spec.Csi?.Driver == CarinaNames.Driver && item.Spec.Csi.VolumeHandle == volume.VolumeId;
        return isOurs && item.Spec.ClaimRef is { } claim && (item.Status is null || item.Status.Phase == Bound || volume.Move is not null)
            ? (claim.NamespaceProperty, claim.Name, item.Spec.StorageClassName ?? "")
            : null;
    }

    // The switch of a class may be in its parameters, as documented, or in its annotations, as implemented once.
    private async Task<bool> OptsInAsync(
        VolumeRecord volume, string className, Dictionary<string, bool> classes, CancellationToken cancellationToken)
    {
        if (FailoverSwitch.IsOn(volume.Parameters))
        {
            return true;
        }

        if (className.Length == 0)
        {
            return false;
        }

        if (!classes.TryGetValue(className, out var on))
        {
            try
            {
                var item = await client.StorageV1.ReadStorageClassAsync(className, cancellationToken: cancellationToken).ConfigureAwait(false);
                on = FailoverSwitch.IsOn(item.Parameters) || FailoverSwitch.IsOn(item.Metadata.Annotations);
            }
            catch (Exception exception) when (exception.IsNotFound())
            {
                on = false;
            }

            classes.Add(className, on);
        }

        return on;
    }

    /// <summary>Names of claims that a pod uses; a generic ephemeral volume's is made of the pod's and its own.</summary>
    internal static IEnumerable<string> ClaimsOf(V1Pod pod) => (pod.Spec?.Volumes ?? [])
        .Select(v => v.PersistentVolumeClaim?.ClaimName ?? (v.Ephemeral is null ? null : $"{pod.Metadata.Name}-{v.Name}"))
        .OfType<string>();

    /// <summary>Volumes that have a pod in common go together.</summary>
    private static IReadOnlyList<VolumeGroup> Join(List<Usage> usages)
    {
        var groups = new List<List<Usage>>();
        foreach (var usage in usages)
        {
            var uids = usage.Pods.Select(p => p.Metadata.Uid).ToHashSet(StringComparer.Ordinal);
            var related = groups.Where(g => g.Any(u => u.Pods.Any(p => uids.Contains(p.Metadata.Uid))
                || (u.Volume.Move is { } move && move.Id == usage.Volume.Move?.Id))).ToList();
            groups.RemoveAll(related.Contains);
            groups.Add([.. related.SelectMany(g => g), usage]);
        }

        return [.. groups.Select(ToGroup)];
    }

    private static VolumeGroup ToGroup(List<Usage> usages)
    {
        var pods = usages.SelectMany(u => u.Pods).DistinctBy(p => p.Metadata.Uid).Select(ToPod).ToList();

        // One pod that did not opt in keeps all of them where they are.
        var refused = usages.SelectMany(u => u.Pods).Any(p => FailoverSwitch.IsOff(p.Metadata.Annotations));
        return new()
        {
            Volumes = [.. usages.Select(u => u.Volume).OrderBy(v => v.VolumeId, StringComparer.Ordinal)],
            Pods = pods,
            Data = usages.Select(u => FailoverDataPolicy.Find(u.Volume.Parameters))
                .Concat(usages.SelectMany(u => u.Pods).Select(p => FailoverDataPolicy.Find(p.Metadata.Annotations)))
                .Max() ?? FailoverData.Fresh,
            OptedIn = !refused && (usages.All(u => u.ClassOptsIn) || (pods.Count > 0 && pods.All(p => p.OptedIn))),
        };
    }

    private static VolumePod ToPod(V1Pod pod) => new(
        pod.Metadata.NamespaceProperty,
        pod.Metadata.Name,
        pod.Metadata.Uid,
        pod.Spec?.NodeName ?? "",
        FailoverSwitch.IsOn(pod.Metadata.Annotations),
        (pod.Status?.ContainerStatuses ?? []).Concat(pod.Status?.InitContainerStatuses ?? [])
            .Any(c => c.Started == true || c.State?.Running is not null || c.State?.Terminated is not null || c.RestartCount > 0));
}
