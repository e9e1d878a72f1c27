using System.Runtime.ExceptionServices;
using System.Text.Json;
using Carina.Kubernetes.Resources;
using k8s;
using k8s.Models;

namespace Carina.Kubernetes.Watching;

/// <summary>How objects of one kind are listed and watched.</summary>
/// <param name="Name">The plural, for logs.</param>
/// <param name="ListAsync">One page: objects, the list's resourceVersion, and a token if there is more.</param>
/// <param name="WatchAsync">Changes since a resourceVersion; ends after about so many seconds.</param>
public sealed record ResourceSource<T>(
    string Name,
    Func<string?, CancellationToken, Task<ResourcePage<T>>> ListAsync,
    Func<string, int, CancellationToken, IAsyncEnumerable<(WatchEventType Type, T Item)>> WatchAsync)
    where T : class, IKubernetesObject<V1ObjectMeta>;

/// <summary>One page of a list.</summary>
/// <param name="Items">Its objects.</param>
/// <param name="Version">The list's resourceVersion, the same for all pages.</param>
/// <param name="Continue">Token of the next page; null or empty at the end.</param>
public sealed record ResourcePage<T>(IEnumerable<T> Items, string Version, string? Continue);

/// <summary>Sources of the kinds that the driver looks at.</summary>
public static class ResourceSources
{
    private const int PageSize = 500;

    public static ResourceSource<V1Node> Nodes(IKubernetes client, string? fieldSelector = null) => new(
        "nodes",
        async (page, stop) => Page<V1Node, V1NodeList>(await client.CoreV1.ListNodeAsync(
            continueParameter: page, fieldSelector: fieldSelector, limit: PageSize, cancellationToken: stop)
            .ConfigureAwait(false)),
        (version, seconds, stop) => client.CoreV1.WatchListNodeAsync(
            allowWatchBookmarks: true, fieldSelector: fieldSelector, resourceVersion: version, timeoutSeconds: seconds,
            onError: Fail, cancellationToken: stop));

    public static ResourceSource<V1Pod> Pods(
        IKubernetes client, string? fieldSelector = null, string? labelSelector = null) => new(
        "pods",
        async (page, stop) => Page<V1Pod, V1PodList>(await client.CoreV1.ListPodForAllNamespacesAsync(
            continueParameter: page, fieldSelector: fieldSelector, labelSelector: labelSelector, limit: PageSize,
            cancellationToken: stop).ConfigureAwait(false)),
        (version, seconds, stop) => client.CoreV1.WatchListPodForAllNamespacesAsync(
            allowWatchBookmarks: true, fieldSelector: fieldSelector, labelSelector: labelSelector,
            resourceVersion: version, timeoutSeconds: seconds, onError: Fail, cancellationToken: stop));

    public static ResourceSource<V1Pod> NamespacedPods(IKubernetes client, string ns, string? labelSelector = null) => new(
        "pods",
        async (page, stop) => Page<V1Pod, V1PodList>(await client.CoreV1.ListNamespacedPodAsync(
            ns, continueParameter: page, labelSelector: labelSelector, limit: PageSize, cancellationToken: stop)
            .ConfigureAwait(false)),
        (version, seconds, stop) => client.CoreV1.WatchListNamespacedPodAsync(
            ns, allowWatchBookmarks: true, labelSelector: labelSelector, resourceVersion: version,
            timeoutSeconds: seconds, onError: Fail, cancellationToken: stop));

    public static ResourceSource<V1PersistentVolume> PersistentVolumes(IKubernetes client) => new(
        "persistentvolumes",
        async (page, stop) => Page<V1PersistentVolume, V1PersistentVolumeList>(await client.CoreV1.ListPersistentVolumeAsync(
            continueParameter: page, limit: PageSize, cancellationToken: stop).ConfigureAwait(false)),
        (version, seconds, stop) => client.CoreV1.WatchListPersistentVolumeAsync(
            allowWatchBookmarks: true, resourceVersion: version, timeoutSeconds: seconds, onError: Fail, cancellationToken: stop));

    public static ResourceSource<V1PersistentVolumeClaim> PersistentVolumeClaims(IKubernetes client) => new(
        "persistentvolumeclaims",
        async (page, stop) => Page<V1PersistentVolumeClaim, V1PersistentVolumeClaimList>(await client.CoreV1.ListPersistentVolumeClaimForAllNamespacesAsync(
            continueParameter: page, limit: PageSize, cancellationToken: stop).ConfigureAwait(false)),
        (version, seconds, stop) => client.CoreV1.WatchListPersistentVolumeClaimForAllNamespacesAsync(
            allowWatchBookmarks: true, resourceVersion: version, timeoutSeconds: seconds, onError: Fail, cancellationToken: stop));

    public static ResourceSource<V1StorageClass> StorageClasses(IKubernetes client) => new(
        "storageclasses",
        async (page, stop) => Page<V1StorageClass, V1StorageClassList>(await client.StorageV1.ListStorageClassAsync(
            continueParameter: page, limit: PageSize, cancellationToken: stop).ConfigureAwait(false)),
        (version, seconds, stop) => client.StorageV1.WatchListStorageClassAsync(
            allowWatchBookmarks: true, resourceVersion: version, timeoutSeconds: seconds, onError: Fail, cancellationToken: stop));

    /// <summary>Objects of a cluster-scoped custom resource.</summary>
    public static ResourceSource<T> Custom<T>(
        IKubernetes client, string group, string version, string plural, string? fieldSelector = null)
        where T : class, IKubernetesObject<V1ObjectMeta> => new(
        plural,
        async (page, stop) =>
        {
            var list = await client.CustomObjects.ListClusterCustomObjectAsync<CustomList<T>>(
                group, version, plural, continueParameter: page, fieldSelector: fieldSelector, limit: PageSize,
                cancellationToken: stop).ConfigureAwait(false);
            return Page<T, CustomList<T>>(list);
        },
        (from, seconds, stop) => ReadCustomAsync<T>(client.CustomObjects.WatchListClusterCustomObjectAsync(
            group, version, plural, allowWatchBookmarks: true, fieldSelector: fieldSelector, resourceVersion: from,
            timeoutSeconds: seconds, onError: Fail, cancellationToken: stop)));

    /// <summary>Objects of a namespaced custom resource, in one namespace.</summary>
    public static ResourceSource<T> Custom<T>(
        IKubernetes client, string group, string version, string ns, string plural, string? fieldSelector)
        where T : class, IKubernetesObject<V1ObjectMeta> => new(
        plural,
        async (page, stop) =>
        {
            var list = await client.CustomObjects.ListNamespacedCustomObjectAsync<CustomList<T>>(
                group, version, ns, plural, continueParameter: page, fieldSelector: fieldSelector, limit: PageSize,
                cancellationToken: stop).ConfigureAwait(false);
            return Page<T, CustomList<T>>(list);
        },
        (from, seconds, stop) => ReadCustomAsync<T>(client.CustomObjects.WatchListNamespacedCustomObjectAsync(
            group, version, ns, plural, allowWatchBookmarks: true, fieldSelector: fieldSelector, resourceVersion: from,
            timeoutSeconds: seconds, onError: Fail, cancellationToken: stop)));

    // Without this the client library drops what the server says last (410 and the like) and ends the watch in silence.
    // It calls again with what is thrown here, and lets that out.
    private static void Fail(Exception exception) => ExceptionDispatchInfo.Throw(exception);

    // The generated client has no types for custom resources and hands out what it parsed.
    private static IAsyncEnumerable<(WatchEventType, T)> ReadCustomAsync<T>(
        IAsyncEnumerable<(WatchEventType Type, object Item)> changes) =>
        changes.Select(change => (change.Type, KubernetesJson.Deserialize<T>((JsonElement)change.Item)));

    private static ResourcePage<T> Page<T, TList>(TList list)
        where TList : IKubernetesObject<V1ListMeta>, IItems<T>
        where T : class => new(list.Items, list.Metadata.ResourceVersion, list.Metadata.ContinueProperty);
}
