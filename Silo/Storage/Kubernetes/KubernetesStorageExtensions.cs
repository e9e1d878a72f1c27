using Carina.Grains.Nodes;
using Carina.Grains.Storage;
using Carina.Grains.Volumes;

namespace Carina.Silo.Storage.Kubernetes;

/// <summary>Registers custom resources as the place where truth is kept.</summary>
internal static class KubernetesStorageExtensions
{
    /// <summary>Records in LogicVolumes and NodeStorageResources; needs <c>AddKubernetesClient</c>.</summary>
    public static IServiceCollection AddKubernetesStorage(this IServiceCollection services)
    {
        services.AddSingleton<IRecordStore<NodeRecord>, NodeStorageStore>();
        services.AddSingleton<IRecordStore<VolumeRecord>, LogicVolumeStore>();
        return services;
    }

    /// <summary>The eye on LogicVolumes, for controllers; needs <see cref="AddKubernetesStorage"/>.</summary>
    public static IServiceCollection AddKubernetesStorageAudit(this IServiceCollection services)
    {
        services.AddSingleton<LogicVolumeInspector>();
        services.AddHostedService<LogicVolumeAudit>();
        return services;
    }
}
