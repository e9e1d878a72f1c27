using Carina.Kubernetes.Watching;
using Carina.Webhook.Lookup;
using k8s;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Carina.Webhook.Claims;

/// <summary>Adds what finds the claims of pods.</summary>
public static class PodClaimsExtensions
{
    /// <summary>
    /// Adds <see cref="IPodClaims"/> and the caches it reads. Webhook and scheduler extender share them: adding it twice
    /// changes nothing. The services must hold <see cref="IKubernetes"/>.
    /// </summary>
    public static IServiceCollection AddPodClaims(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddOptions<PodClaimsOptions>();
        services.AddOptions<ApiLookupOptions>();
        services.AddResourceCache(provider => ResourceSources.PersistentVolumeClaims(provider.GetRequiredService<IKubernetes>()));
        services.AddResourceCache(provider => ResourceSources.PersistentVolumes(provider.GetRequiredService<IKubernetes>()));
        services.AddResourceCache(provider => ResourceSources.StorageClasses(provider.GetRequiredService<IKubernetes>()));
        services.TryAddSingleton<ApiLookup>();
        services.TryAddSingleton<ClaimObjects>();
        services.TryAddSingleton<StatefulSetTemplates>();
        services.TryAddSingleton<IPodClaims, PodClaims>();
        return services;
    }
}
