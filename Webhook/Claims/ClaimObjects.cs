using Carina.Kubernetes.Client;
using Carina.Kubernetes.Watching;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Carina.Webhook.Claims;

/// <summary>Claims, volumes and classes: from the watch, or where it lags, by one request of limited length.</summary>
internal sealed partial class ClaimObjects(
    IKubernetes client,
    IResourceCache<V1PersistentVolumeClaim> claims,
    IResourceCache<V1PersistentVolume> volumes,
    IResourceCache<V1StorageClass> classes,
    IOptions<PodClaimsOptions> options,
    TimeProvider time,
    ILogger<ClaimObjects> logger)
{
    // Both spellings are in use (Kubernetes: storage/v1/util).
    private static readonly string[] _defaultClassAnnotations =
        ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];

    public Task Synced => Task.WhenAll(claims.Synced, volumes.Synced, classes.Synced);

    /// <summary>Null when there is none, or nobody can say.</summary>
    public ValueTask<V1PersistentVolumeClaim?> FindClaimAsync(string ns, string name, CancellationToken stop) =>
        claims.Find(ns, name) is { } claim
            ? new(claim)
            : AskAsync($"claim {ns}/{name}", s => client.CoreV1.ReadNamespacedPersistentVolumeClaimAsync(name, ns, cancellationToken: s), stop);

    /// <summary>A claim as far as the watch has brought it.</summary>
    public V1PersistentVolumeClaim? FindKnownClaim(string ns, string name) => claims.Find(ns, name);

    public ValueTask<V1PersistentVolume?> FindVolumeAsync(string name, CancellationToken stop) =>
        volumes.Find("", name) is { } volume
            ? new(volume)
            : AskAsync($"volume {name}", s => client.CoreV1.ReadPersistentVolumeAsync(name, cancellationToken: s), stop);

    public ValueTask<V1StorageClass?> FindClassAsync(string name, CancellationToken stop) =>
        classes.Find("", name) is { } known
            ? new(known)
            : AskAsync($"StorageClass {name}", s => client.StorageV1.ReadStorageClassAsync(name, cancellationToken: s), stop);

    public ValueTask<V1StatefulSet?> FindStatefulSetAsync(string ns, string name, CancellationToken stop) =>
        AskAsync($"StatefulSet {ns}/{name}", s => client.AppsV1.ReadNamespacedStatefulSetAsync(name, ns, cancellationToken: s), stop);

    /// <summary>The class of claims that name none: the newest, where there are several, as since Kubernetes 1.26.</summary>
    public V1StorageClass? FindDefaultClass() => classes.All
        .Where(c => _defaultClassAnnotations.Any(a => c.GetAnnotation(a) == "true"))
        .OrderByDescending(c => c.Metadata.CreationTimestamp)
        .ThenBy(c => c.Metadata.Name, StringComparer.Ordinal)
        .FirstOrDefault();

    private async ValueTask<T?> AskAsync<T>(string what, Func<CancellationToken, Task<T>> read, CancellationToken stop)
        where T : class
    {
        using var timeout = new CancellationTokenSource(options.Value.LookupTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, timeout.Token);
        try
        {
            return await read(either.Token).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception.IsNotFound())
        {
            return null;
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            LogUnanswered(what, $"no answer within {options.Value.LookupTimeout.TotalMilliseconds} ms");
            return null;
        }
        catch (Exception exception) when (exception.IsUnreachable() || exception.IsForbidden())
        {
            LogUnanswered(what, exception.Describe());
            return null;
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Cannot ask the API server for {What}: {Reason}")]
    private partial void LogUnanswered(string what, string reason);
}
