namespace Carina.Silo.Backends.Files;

/// <summary>Registers pools of policy FILE.</summary>
internal static class FileBackendExtensions
{
    public static IServiceCollection AddFileBackend(this IServiceCollection services) =>
        services.AddSingleton<IPoolBackend, FileBackend>();
}
