using Carina.Kubernetes.Client;
using Carina.Kubernetes.Watching;
using Carina.Silo.Membership.Patience;
using k8s;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.Messaging;

namespace Carina.Silo.Membership.Kubernetes;

/// <summary>
/// Orleans membership on the Kubernetes API. All of it needs <see cref="KubernetesClientExtensions.AddKubernetesClient"/>.
/// </summary>
internal static class KubernetesMembershipExtensions
{
    /// <summary>For silos: the membership table, and the watch that has Orleans read it when it changed.</summary>
    public static IServiceCollection AddKubernetesMembership(
        this IServiceCollection services, Action<KubernetesMembershipOptions>? configure = null)
    {
        services.AddMembershipObject(configure);
        services.AddSiloPatience();
        services.AddSingleton<IMembershipTable>(provider => new DocumentMembershipTable(
            provider.GetRequiredService<IMembershipDocuments>(),
            provider.GetRequiredService<IOptions<ClusterOptions>>(),
            provider.GetRequiredService<IOptions<KubernetesMembershipOptions>>().Value.PodIn(
                provider.GetRequiredService<IOptions<KubernetesOptions>>().Value.Namespace),
            provider.GetRequiredService<SiloPatience>()));
        services.AddHostedService<MembershipWatch>();
        return services;
    }

    /// <summary>For controller silos: deletion of a silo's pod or node is told to the membership at once.</summary>
    public static IServiceCollection AddKubernetesDeletionWatch(this IServiceCollection services)
    {
        services.AddKeyedResourceCache(DeletionWatch.PodsKey, provider => ResourceSources.NamespacedPods(
            provider.GetRequiredService<IKubernetes>(),
            provider.GetRequiredService<IOptions<KubernetesOptions>>().Value.Namespace,
            provider.GetRequiredService<IOptions<KubernetesMembershipOptions>>().Value.PodSelector));
        services.AddResourceCache(provider => ResourceSources.Nodes(provider.GetRequiredService<IKubernetes>()));
        services.AddHostedService<DeletionWatch>();
        return services;
    }

    /// <summary>For Orleans clients: the silos that they can connect to.</summary>
    public static IServiceCollection AddKubernetesGateways(
        this IServiceCollection services, Action<KubernetesMembershipOptions>? configure = null)
    {
        services.AddMembershipObject(configure);
        // It costs nothing to look: see KubernetesGateways.
        services.Configure<GatewayOptions>(gateways => gateways.GatewayListRefreshPeriod = TimeSpan.FromSeconds(2));
        services.AddSingleton<IGatewayListProvider, KubernetesGateways>();
        return services;
    }

    private static void AddMembershipObject(
        this IServiceCollection services, Action<KubernetesMembershipOptions>? configure)
    {
        services.AddOptions<KubernetesMembershipOptions>().Configure(Complete);
        if (configure is not null)
        {
            services.Configure(configure);
        }

        services.TryAddSingleton<IMembershipDocuments, KubernetesMembershipDocuments>();
        services.AddResourceCache(provider => ResourceSources.Custom<OrleansMembership>(
            provider.GetRequiredService<IKubernetes>(),
            OrleansMembership.Group,
            OrleansMembership.Version,
            provider.GetRequiredService<IOptions<KubernetesOptions>>().Value.Namespace,
            OrleansMembership.Plural,
            $"metadata.name={provider.GetRequiredService<IOptions<ClusterOptions>>().Value.ClusterId}"));
    }

    private static void Complete(KubernetesMembershipOptions options)
    {
        options.PodName = Environment.GetEnvironmentVariable("POD_NAME") ?? "";
        options.PodUid = Environment.GetEnvironmentVariable("POD_UID") ?? "";
        options.PodNamespace = Environment.GetEnvironmentVariable("POD_NAMESPACE") ?? "";
    }
}
