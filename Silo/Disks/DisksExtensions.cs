namespace Carina.Silo.Disks;

/// <summary>Registers what finds disks.</summary>
internal static class DisksExtensions
{
    public static IServiceCollection AddDisks(this IServiceCollection services)
    {
        services.AddSingleton<BlockDeviceScanner>();
        services.AddSingleton<BlankProbe>();
        services.AddSingleton<DiskDiscovery>();
        return services;
    }
}
