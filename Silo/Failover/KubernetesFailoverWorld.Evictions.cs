using System.Net;
using Carina.Grains.Errors;
using Carina.Grains.Failover;
using Carina.Kubernetes.Client;
using Carina.Silo.Storage.Kubernetes;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Carina.Silo.Failover;

// Ending pods as a drain does (Kubernetes: API-initiated eviction).
internal sealed partial class KubernetesFailoverWorld
{
    private const string DryRun = "All";

    // Up to 1.21 there was no other.
    private const string OldEvictions = "policy/v1beta1";

    public Task<string> FindEvictionObstacleAsync(IReadOnlyList<VolumePod> pods, CancellationToken cancellationToken) =>
        ApiExceptions.GuardAsync(
            "Whether the pods may be evicted could not be found out",
            async () =>
            {
                foreach (var pod in pods)
                {
                    if (await EvictAsync(pod, DryRun, cancellationToken).ConfigureAwait(false) is { Length: > 0 } obstacle)
                    {
                        return obstacle;
                    }
                }

                return "";
            },
            cancellationToken);

    public Task EvictAsync(IReadOnlyList<VolumePod> pods, CancellationToken cancellationToken) => ApiExceptions.GuardAsync(
        "The pods could not be evicted",
        async () =>
        {
            foreach (var pod in pods)
            {
                if (await EvictAsync(pod, null, cancellationToken).ConfigureAwait(false) is { Length: > 0 } obstacle)
                {
                    throw new StorageException(StorageErrorCode.Unavailable, obstacle);
                }
            }

            return true;
        },
        cancellationToken);

    /// <summary>Why it is not evicted now; empty when it is, or is gone.</summary>
    private async Task<string> EvictAsync(VolumePod pod, string? dryRun, CancellationToken cancellationToken)
    {
        var eviction = new V1Eviction
        {
            Metadata = new() { Name = pod.Name, NamespaceProperty = pod.Namespace },
            DeleteOptions = new() { Preconditions = new() { Uid = pod.Uid }, DryRun = dryRun is null ? null : [dryRun] },
        };
        try
        {
            try
            {
                await SendAsync().ConfigureAwait(false);
            }
            catch (HttpOperationException exception) when (exception.Response.StatusCode == HttpStatusCode.BadRequest)
            {
                (eviction.ApiVersion, eviction.Kind) = (OldEvictions, V1Eviction.KubeKind);
                await SendAsync().ConfigureAwait(false);
            }

            return "";
        }
        catch (HttpOperationException exception) when (exception.Response.StatusCode == HttpStatusCode.TooManyRequests)
        {
            return $"pod {pod.Namespace}/{pod.Name} may not be evicted now ({exception.Describe()})";
        }
        catch (Exception exception) when (exception.IsNotFound() || exception.IsConflict())
        {
            // Gone, or another one of that name.
            return "";
        }

        Task SendAsync() => client.CoreV1.CreateNamespacedPodEvictionAsync(
            eviction, pod.Name, pod.Namespace, dryRun: dryRun, cancellationToken: cancellationToken);
    }
}
