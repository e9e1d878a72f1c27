using Carina.Kubernetes.Watching;
using Carina.Webhook.Lookup;
using k8s;
using k8s.Models;

namespace Carina.Webhook.Claims;

/// <summary>Claims, volumes and classes: from the watch, or where it lags, by one request of limited length.</summary>
internal sealed class ClaimObjects(
    IKubernetes client,
    IResourceCache<V1PersistentVolumeClaim> claims,
    IResourceCache<V1PersistentVolume> volumes,
    IResourceCache<V1StorageClass> classes,
    ApiLookup lookup)
{
    // Both spellings are in use (Kubernetes: storage/v1/util).
    private static readonly string[] _defaultClassAnnotations =
        ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];

    public Task Synced => Task.WhenAll(claims.Synced, volumes.Synced, classes.Synced);

    /// <summary>Null when there is none, or nobody can say.</summary>
    public ValueTask<V1PersistentVolumeClaim?> FindClaimAsync(string ns, string name, CancellationToken stop) =>
        claims.Find(ns, name) is { } claim
            ? new(claim)
            : lookup.AskAsync($"claim {ns}/{name}", s => client.CoreV1.ReadNamespacedPersistentVolumeClaimAsync(name, ns, cancellationToken: s), stop);

    /// <summary>A claim as far as the watch has brought it.</summary>
    public V1PersistentVolumeClaim? FindKnownClaim(string ns, string name) => claims.Find(ns, name);

    public ValueTask<V1PersistentVolume?> FindVolumeAsync(string name, CancellationToken stop) =>
        volumes.Find("", name) is { } volume
            ? new(volume)
            : lookup.AskAsync($"volume {name}", s => client.CoreV1.ReadPersistentVolumeAsync(name, cancellationToken: s), stop);

    public ValueTask<V1StorageClass?> FindClassAsync(string name, CancellationToken stop) =>
        classes.Find("", name) is { } known
            ? new(known)
            : lookup.AskAsync($"StorageClass {name}", s => client.StorageV1.ReadStorageClassAsync(name, cancellationToken: s), stop);

    public ValueTask<V1StatefulSet?> FindStatefulSetAsync(string ns, string name, CancellationToken stop) =>
        lookup.AskAsync($"StatefulSet {ns}/{name}", s => client.AppsV1.ReadNamespacedStatefulSetAsync(name, ns, cancellationToken: s), stop);

    /// <summary>The class of claims that name none: the newest, where there are several, as since Kubernetes 1.26.</summary>
    public V1StorageClass? FindDefaultClass() => classes.All
        .Where(c => _defaultClassAnnotations.Any(a => c.GetAnnotation(a) == "true"))
        .OrderByDescending(c => c.Metadata.CreationTimestamp)
        .ThenBy(c => c.Metadata.Name, StringComparer.Ordinal)
        .FirstOrDefault();
}
