using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Carina.Silo.Membership.Patience;

/// <summary>Adds patience with silos that are slow.</summary>
internal static class PatienceExtensions
{
    /// <summary>Registers the membership table that <paramref name="create"/> makes, used with patience.</summary>
    public static IServiceCollection AddPatientMembershipTable(
        this IServiceCollection services, Func<IServiceProvider, IMembershipTable> create)
    {
        services.AddOptions<PatienceOptions>();
        services.TryAddSingleton<ISiloDoor, TcpSiloDoor>();
        services.AddSingleton<IMembershipTable>(provider =>
            ActivatorUtilities.CreateInstance<PatientMembershipTable>(provider, create(provider)));
        return services;
    }
}
