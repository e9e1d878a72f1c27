using Carina.Grains.Agents;
using Carina.Kubernetes.Watching;
using Carina.Silo.Fencing.Guard;
using k8s;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Carina.Silo.Fencing.Leases;

/// <summary>Registers what keeps nodes' leases.</summary>
internal static class NodeLeaseExtensions
{
    /// <summary>For every silo: renews leases of nodes that ask for it.</summary>
    public static IServiceCollection AddNodeLeases(this IServiceCollection services)
    {
        services.AddOptions<NodeLeaseOptions>();
        services.TryAddSingleton<ILeaseClock, BootClock>();
        services.TryAddSingleton<INodeLeases, KubernetesNodeLeases>();
        return services;
    }

    /// <summary>For a node: keeps its own lease and guards its volumes. Needs <see cref="AddNodeLeases"/> and fencing.</summary>
    /// <param name="services">Where to.</param>
    /// <param name="nodeName">The node.</param>
    /// <param name="file">Where guarded volumes are remembered.</param>
    /// <param name="deadlineFile">Where the guard process looks for the deadline; beside it it shows that it lives.</param>
    public static IServiceCollection AddNodeLeaseKeeper(
        this IServiceCollection services, string nodeName, string file, string deadlineFile)
    {
        services.AddSingleton(_ => new DeadlineFile(deadlineFile));
        services.AddSingleton<DeadlineWitness>();
        services.AddSingleton(_ => new GuardFiles(Path.GetDirectoryName(deadlineFile)!));
        services.AddSingleton<GuardSight>();
        services.AddSingleton(_ => new GuardedVolumes(file));
        services.AddKeyedResourceCache(PodOptIn.OwnPods, provider => ResourceSources.Pods(
            provider.GetRequiredService<IKubernetes>(), PodOptIn.SelectorOf(nodeName)));
        services.TryAddSingleton<ILeaseHelpers, OrleansLeaseHelpers>();
        services.AddSingleton<PodOptIn>();
        services.AddSingleton<KubernetesVolumeGuards>();
        services.AddSingleton<IVolumeGuards>(provider => provider.GetRequiredService<KubernetesVolumeGuards>());
        services.AddSingleton<NodeLeaseKeeper>();
        services.AddHostedService(provider => provider.GetRequiredService<NodeLeaseKeeper>());
        services.AddHostedService<FenceReturns>();
        services.AddHostedService<PodGuardWatch>();
        return services;
    }
}
