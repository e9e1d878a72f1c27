using k8s;
using k8s.Models;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Carina.Kubernetes.Watching;

/// <summary>Adds caches of resources.</summary>
public static class ResourceCacheExtensions
{
    /// <summary>
    /// One <see cref="IResourceCache{T}"/> of the process, filled while the host runs. The first caller's source counts.
    /// </summary>
    public static IServiceCollection AddResourceCache<T>(
        this IServiceCollection services, Func<IServiceProvider, ResourceSource<T>> source)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        ArgumentNullException.ThrowIfNull(services);
        if (services.Any(s => s.ServiceType == typeof(IResourceCache<T>) && !s.IsKeyedService))
        {
            return services;
        }

        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(provider => Create(provider, source));
        services.AddSingleton<IResourceCache<T>>(provider => provider.GetRequiredService<ResourceCache<T>>());
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<ResourceCache<T>>());
        return services;
    }

    /// <summary>As above, of a part of a kind; found by its key.</summary>
    public static IServiceCollection AddKeyedResourceCache<T>(
        this IServiceCollection services, string key, Func<IServiceProvider, ResourceSource<T>> source)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        ArgumentNullException.ThrowIfNull(services);
        if (services.Any(s => s.ServiceType == typeof(IResourceCache<T>) && Equals(s.ServiceKey, key)))
        {
            return services;
        }

        services.TryAddSingleton(TimeProvider.System);
        services.AddKeyedSingleton(key, (provider, _) => Create(provider, source));
        services.AddKeyedSingleton<IResourceCache<T>>(
            key, (provider, _) => provider.GetRequiredKeyedService<ResourceCache<T>>(key));
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredKeyedService<ResourceCache<T>>(key));
        return services;
    }

    private static ResourceCache<T> Create<T>(IServiceProvider provider, Func<IServiceProvider, ResourceSource<T>> source)
        where T : class, IKubernetesObject<V1ObjectMeta> => new(
        source(provider).WithoutManagedFields(),
        provider.GetRequiredService<TimeProvider>(),
        provider.GetRequiredService<ILogger<ResourceCache<T>>>());

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
