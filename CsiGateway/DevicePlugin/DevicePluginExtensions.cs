using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Carina.CsiGateway.DevicePlugin;

/// <summary>Shows capacity in the Node object.</summary>
public static class DevicePluginExtensions
{
    /// <summary>Offers each of the node's groups to its kubelet while the host runs.</summary>
    public static IServiceCollection AddDevicePlugins(
        this IServiceCollection services, Action<DevicePluginOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.Configure(configure);
        services.TryAddSingleton(TimeProvider.System);
        services.AddHostedService<DevicePlugins>();
        return services;
    }
}
