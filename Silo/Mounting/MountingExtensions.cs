using Carina.Grains.Agents;

namespace Carina.Silo.Mounting;

/// <summary>Registers what brings volumes to pods.</summary>
internal static class MountingExtensions
{
    public static IServiceCollection AddNodeVolumes(this IServiceCollection services, NodeVolumesOptions options)
    {
        services.AddSingleton(options);
        services.AddSingleton<MountCalls>();
        services.AddSingleton<FileSystems>();
        services.AddSingleton<IPoolPolicies, ConfiguredPoolPolicies>();
        services.AddSingleton<INodeVolumes, NodeVolumes>();
        return services;
    }
}
