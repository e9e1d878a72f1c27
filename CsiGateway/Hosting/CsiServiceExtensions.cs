using Carina.CsiGateway.Controller;
using Carina.CsiGateway.Errors;
using Carina.CsiGateway.Identity;
using Carina.CsiGateway.Node;
using Carina.CsiGateway.Validation;
using Carina.Grains.Agents;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Carina.CsiGateway.Hosting;

/// <summary>Adds the CSI services to a process.</summary>
public static class CsiServiceExtensions
{
    /// <summary>
    /// Registers what the CSI services need. The host brings <see cref="IGrainFactory"/>, for the node role
    /// <see cref="INodeVolumes"/>, and, where starting is not being ready, its own <see cref="IReadiness"/>.
    /// </summary>
    public static IServiceCollection AddCarinaCsi(this IServiceCollection services, CsiOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        services.AddGrpc(grpc => grpc.Interceptors.Add<ErrorInterceptor>());
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<IReadiness, HostReadiness>();
        services.TryAddSingleton<IVolumeGuards, NoVolumeGuards>();
        services.AddSingleton(options);
        services.AddSingleton<ErrorInterceptor>();
        services.AddSingleton<PathRules>();
        services.AddSingleton<VolumeGate>();
        services.AddSingleton<StagedVolumes>();
        return services;
    }

    /// <summary>Maps the services of a role; those of the other role answer UNIMPLEMENTED.</summary>
    /// <exception cref="ArgumentException">An option does not fit the role.</exception>
    /// <exception cref="InvalidOperationException">The host lacks a service that the role needs.</exception>
    public static void MapCarinaCsi(this IEndpointRouteBuilder endpoints, CsiRole role)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        if (role is CsiRole.None)
        {
            throw new ArgumentException("A CSI process needs a role: controller, node or both.", nameof(role));
        }

        var services = endpoints.ServiceProvider;
        services.GetRequiredService<CsiOptions>().Validate(role);
        services.GetRequiredService<IGrainFactory>();
        endpoints.MapGrpcService<CsiIdentityService>();
        if (role.HasFlag(CsiRole.Controller))
        {
            endpoints.MapGrpcService<CsiControllerService>();
        }

        if (role.HasFlag(CsiRole.Node))
        {
            services.GetRequiredService<INodeVolumes>();
            endpoints.MapGrpcService<CsiNodeService>();
        }
    }
}
