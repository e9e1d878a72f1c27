using Microsoft.Extensions.DependencyInjection;

namespace Carina.Grains.Failover;

/// <summary>Registers failover's view of the volumes.</summary>
public static class FailoverGrainExtensions
{
    public static IServiceCollection AddVolumeMoves(this IServiceCollection services) =>
        services.AddSingleton<IVolumeMoves, GrainVolumeMoves>();
}
