using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Carina.Silo.Membership.Patience;

/// <summary>Adds patience with silos that are slow.</summary>
internal static class PatienceExtensions
{
    /// <summary>Registers <see cref="SiloPatience"/>, which the membership table of a silo asks.</summary>
    public static IServiceCollection AddSiloPatience(this IServiceCollection services)
    {
        services.AddOptions<PatienceOptions>();
        services.TryAddSingleton<ISiloDoor, TcpSiloDoor>();
        services.TryAddSingleton<SiloPatience>();
        return services;
    }
}
