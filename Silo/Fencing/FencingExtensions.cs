using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Carina.Silo.Fencing;

/// <summary>Registers what cuts this node off from volumes.</summary>
internal static class FencingExtensions
{
    /// <summary>Adds <see cref="IVolumeFence"/>. Needs the backends, node volumes and an <see cref="ICommandsUnderWay"/>.</summary>
    /// <param name="services">Where to.</param>
    /// <param name="file">Where fenced volumes are remembered.</param>
    /// <param name="writer">Tells this process apart from others that share the file.</param>
    public static IServiceCollection AddFencing(this IServiceCollection services, string file, string writer = "")
    {
        services.AddSingleton(provider => new FencedVolumes(file, provider.GetRequiredService<TimeProvider>(), writer));
        services.TryAddSingleton<DeviceHolders>();
        services.TryAddSingleton<DeviceCut>();
        services.TryAddSingleton<FenceLift>();
        services.AddSingleton<IVolumeFence, VolumeFence>();
        return services;
    }
}
