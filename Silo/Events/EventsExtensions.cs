using Carina.Grains.Events;

namespace Carina.Silo.Events;

/// <summary>Registers who tells people.</summary>
internal static class EventsExtensions
{
    /// <summary>Tells through Events of Kubernetes; needs <c>AddKubernetesClient</c>.</summary>
    public static IServiceCollection AddKubernetesEvents(this IServiceCollection services)
    {
        services.AddSingleton<KubernetesVolumeEvents>();
        services.AddSingleton<IVolumeEvents>(s => s.GetRequiredService<KubernetesVolumeEvents>());
        services.AddHostedService(s => s.GetRequiredService<KubernetesVolumeEvents>());
        return services;
    }
}
