using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Carina.CsiGateway.Registration;

/// <summary>Registers the driver with the kubelet of its node, as the node-driver-registrar sidecar would.</summary>
public static class PluginRegistrationExtensions
{
    /// <summary>
    /// Offers the driver to the kubelet while the host runs: once the driver's own socket is served, and until the
    /// host begins to stop. <see cref="IPluginRegistration"/> tells how far it has come.
    /// </summary>
    public static IServiceCollection AddPluginRegistration(
        this IServiceCollection services, Action<PluginRegistrationOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.TryAddEnumerable(
            ServiceDescriptor.Singleton<IValidateOptions<PluginRegistrationOptions>, PluginRegistrationOptions.Validator>());
        services.AddOptions<PluginRegistrationOptions>().Configure(configure ?? (_ => { })).ValidateOnStart();
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<PluginRegistrar>();
        services.AddSingleton<IPluginRegistration>(provider => provider.GetRequiredService<PluginRegistrar>());
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<PluginRegistrar>());
        return services;
    }
}
