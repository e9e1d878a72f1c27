using Carina.Webhook.Claims;
using Carina.Webhook.Scheduling.Capacity;
using Carina.Webhook.Scheduling.Expectations;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Carina.Webhook.Scheduling;

/// <summary>Adds the scheduler extender to a process.</summary>
public static class SchedulingExtensions
{
    /// <summary>
    /// Adds what answers schedulers. The services must hold <see cref="k8s.IKubernetes"/>, <see cref="IGrainFactory"/>
    /// and <see cref="Grains.Configuration.ICarinaConfigSource"/>.
    /// </summary>
    public static IServiceCollection AddSchedulerExtender(
        this IServiceCollection services, Action<SchedulingOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddOptions<SchedulingOptions>().Configure(options => configure?.Invoke(options));
        services.AddPodClaims();
        services.TryAddSingleton<ICapacitySource, GrainCapacitySource>();
        services.TryAddSingleton<CapacityView>();
        services.TryAddSingleton<ClaimsOnTheirWay>();
        services.TryAddSingleton<TentativePlacements>();
        services.TryAddSingleton<SchedulerExtender>();
        services.TryAddSingleton<SchedulerEndpoints>();
        return services;
    }

    /// <summary>Maps <see cref="WebhookPaths.Filter"/> and <see cref="WebhookPaths.Prioritize"/>.</summary>
    public static IEndpointRouteBuilder MapSchedulerExtender(this IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        endpoints.ServiceProvider.GetRequiredService<SchedulerEndpoints>().Map(endpoints);
        return endpoints;
    }
}
