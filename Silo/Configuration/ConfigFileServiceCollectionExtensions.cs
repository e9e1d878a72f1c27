using Carina.Grains.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Carina.Silo.Configuration;

internal static class ConfigFileServiceCollectionExtensions
{
    /// <summary>Makes a file the <see cref="ICarinaConfigSource"/> of the process.</summary>
    /// <param name="services">Where to register.</param>
    /// <param name="path">Path of <c>config.json</c>.</param>
    public static IServiceCollection AddCarinaConfigFile(this IServiceCollection services, string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        services.AddOptions<ConfigFileOptions>()
            .Configure(options => options.Path = path)
            .Validate(options => options.PollInterval > TimeSpan.Zero && options.Debounce >= TimeSpan.Zero, "PollInterval has to be positive and Debounce not negative.");
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<ConfigFileSource>();
        services.TryAddSingleton<ICarinaConfigSource>(provider => provider.GetRequiredService<ConfigFileSource>());
        services.AddHostedService(provider => provider.GetRequiredService<ConfigFileSource>());
        return services;
    }
}
