using System.Collections.ObjectModel;
using k8s.Models;

namespace Carina.Kubernetes.PodFit.Cluster;

/// <summary>Parts of objects, of which any may be missing.</summary>
internal static class ObjectParts
{
    public static readonly ReadOnlyDictionary<string, string> NoLabels = ReadOnlyDictionary<string, string>.Empty;

    public static IEnumerable<T> Items<T>(this IEnumerable<T?>? list)
        where T : class => list?.OfType<T>() ?? [];

    public static IReadOnlyDictionary<string, string> LabelsOf(V1ObjectMeta? metadata) => metadata?.Labels switch
    {
        null => NoLabels,
        IReadOnlyDictionary<string, string> labels => labels,
        var labels => labels.AsReadOnly(),
    };

    public static string NamespaceOf(V1Pod pod) => pod.Metadata?.NamespaceProperty ?? "";

    /// <summary>Namespace and name, for a person.</summary>
    public static string Describe(V1Pod pod) => $"{NamespaceOf(pod)}/{pod.Metadata?.Name}";

    /// <summary>Containers that run as long as the pod does: the usual ones, and sidecars among the first.</summary>
    public static IEnumerable<V1Container> LastingContainers(V1Pod pod) =>
        pod.Spec?.InitContainers.Items().Where(IsSidecar).Concat(pod.Spec.Containers.Items()) ?? [];

    public static bool IsSidecar(V1Container container) => container.RestartPolicy == "Always";

    public static bool IsOver(V1Pod pod) => pod.Status?.Phase is "Succeeded" or "Failed";
}
