using Carina.Grains.Failover;
using Carina.Silo.Storage.Kubernetes;

namespace Carina.Silo.Failover;

/// <summary>Registers what takes volumes away from lost nodes.</summary>
internal static class FailoverExtensions
{
    /// <summary>For controllers in Kubernetes.</summary>
    public static IServiceCollection AddFailover(this IServiceCollection services)
    {
        services.AddSingleton(NodeLeaseObserver.Create);
        services.AddSingleton<KubeletObserver>();
        services.AddSingleton<PersistentVolumeHoming>();
        services.AddSingleton<VolumeRequests>();
        services.AddSingleton<ILogicVolumeObserver>(s => s.GetRequiredService<VolumeRequests>());
        services.AddSingleton<FailoverEvents>();
        services.AddHostedService(s => s.GetRequiredService<FailoverEvents>());
        services.AddSingleton<IFailoverWorld, KubernetesFailoverWorld>();
        services.AddVolumeMoves();
        services.AddHostedService<FailoverKeeper>();
        return services;
    }
}
