using k8s;
using k8s.Models;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Carina.Kubernetes.Watching;

/// <summary>Adds caches of Kubernetes objects to a process.</summary>
public static class ResourceCacheExtensions
{
    /// <summary>
    /// One cache of a kind for the whole process, filled from the host's start on. Adding it again changes nothing, so
    /// everyone who reads a kind may ask for it.
    /// </summary>
    /// <param name="services">Must hold <see cref="IKubernetes"/>.</param>
    /// <param name="source">How the kind is listed and watched.</param>
    public static IServiceCollection AddResourceCache<T>(
        this IServiceCollection services, Func<IKubernetes, ResourceSource<T>> source)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        if (services.Any(s => s.ServiceType == typeof(IResourceCache<T>)))
        {
            return services;
        }

        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(provider => new ResourceCache<T>(
            source(provider.GetRequiredService<IKubernetes>()).WithoutManagedFields(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<ResourceCache<T>>>()));
        services.AddSingleton<IResourceCache<T>>(provider => provider.GetRequiredService<ResourceCache<T>>());
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<ResourceCache<T>>());
        return services;
    }

    // Who set which field is up to half of an object, and nobody here asks.
    private static ResourceSource<T> WithoutManagedFields<T>(this ResourceSource<T> source)
        where T : class, IKubernetesObject<V1ObjectMeta> => new(
        source.Name,
        async (page, stop) =>
        {
            var list = await source.ListAsync(page, stop).ConfigureAwait(false);
            return list with { Items = list.Items.Select(Strip) };
        },
        (version, seconds, stop) => source.WatchAsync(version, seconds, stop).Select(c => (c.Type, Strip(c.Item))));

    private static T Strip<T>(T item)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        if (item.Metadata is { } metadata)
        {
            metadata.ManagedFields = null;
        }

        return item;
    }
}
