using Carina.Grains.Volumes;
using Carina.Silo.Disks;
using Carina.Silo.Lvm;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Carina.Silo.Backends.Lvm;

/// <summary>Registers the LVM backend.</summary>
internal static class LvmBackendExtensions
{
    /// <summary>
    /// Adds pools of policy LVM. Needs an <c>ICarinaConfigSource</c> and an <c>ICommandRunner</c>.
    /// </summary>
    public static IServiceCollection AddLvmBackend(this IServiceCollection services)
    {
        services.TryAddSingleton<ICrashPoints, NoCrashPoints>();
        services.TryAddSingleton<BlockDeviceScanner>();
        services.TryAddSingleton<BlankProbe>();
        services.TryAddSingleton<DiskDiscovery>();
        services.TryAddSingleton<IBlankDisks, DiscoveredBlankDisks>();
        services.TryAddSingleton(provider => new LvmOptions
        {
            Directory = Path.Combine(provider.GetRequiredService<IOptions<SiloOptions>>().Value.OwnRunDirectory, "lvm"),
        });
        services.AddSingleton<IPoolBackend>(provider => ActivatorUtilities.CreateInstance<LvmBackend>(
            provider, new DevicePatterns(provider.GetRequiredService<IOptions<SiloOptions>>().Value.LvmDevices)));
        return services;
    }
}
