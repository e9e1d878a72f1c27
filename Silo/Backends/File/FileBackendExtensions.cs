namespace Carina.Silo.Backends.File;

/// <summary>Registers pools of policy FILE.</summary>
internal static class FileBackendExtensions
{
    public static IServiceCollection AddFileBackend(this IServiceCollection services)
    {
        services.AddSingleton<LoopDevices>();
        services.AddSingleton<IPoolBackend, FileBackend>();
        return services;
    }
}
