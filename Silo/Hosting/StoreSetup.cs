using Carina.Kubernetes.Client;
using Carina.Kubernetes.Upgrade;
using Carina.Kubernetes.Watching;
using Carina.Silo.Events;
using Carina.Silo.Failover;
using Carina.Silo.Fencing.Guard;
using Carina.Silo.Fencing.Leases;
using Carina.Silo.Membership;
using Carina.Silo.Membership.Kubernetes;
using Carina.Silo.Membership.Patience;
using Carina.Silo.Nodes;
using Carina.Silo.Storage;
using Carina.Silo.Storage.Kubernetes;
using k8s;

namespace Carina.Silo.Hosting;

/// <summary>Chooses where truth is kept: everything that differs between a single machine and Kubernetes is here.</summary>
internal static class StoreSetup
{
    public static void AddStore(this WebApplicationBuilder builder, SiloOptions options)
    {
        if (options.Store == StoreKind.Kubernetes)
        {
            builder.Services.AddKubernetesStore(options);
        }
        else
        {
            builder.Services.AddEmbeddedStorage(options.StateFile);
            builder.Services.AddSiloPatience();
            builder.Services.AddSingleton<IMembershipTable, DocumentMembershipTable>();
            builder.Services.AddSingleton<INodeLabels, ConfiguredNodeLabels>();
        }
    }

    private static void AddKubernetesStore(this IServiceCollection services, SiloOptions options)
    {
        services.AddKubernetesClient(kubernetes =>
            (kubernetes.Kubeconfig, kubernetes.Namespace) = (options.Kubeconfig, options.Namespace));
        if (options.Role == SiloRole.Controller)
        {
            // Before anything reads or writes: services start in this order.
            services.AddClusterUpgrade();
        }

        services.AddKubernetesMembership();
        services.AddKubernetesStorage();
        services.AddKubernetesEvents();
        services.AddNodeLeases();
        if (options.Role == SiloRole.Controller)
        {
            services.AddKubernetesDeletionWatch();
            services.AddKubernetesStorageAudit();
            services.AddFailover();
            services.AddSingleton<INodeLabels, ConfiguredNodeLabels>();
        }
        else
        {
            services.AddKeyedResourceCache(KubernetesNodeLabels.OwnNode, provider => ResourceSources.Nodes(
                provider.GetRequiredService<IKubernetes>(), $"metadata.name={options.NodeName}"));
            services.AddSingleton<INodeLabels, KubernetesNodeLabels>();
            services.AddNodeLeaseKeeper(options.NodeName, options.GuardFile, GuardProcess.DeadlineFileOf(options));
        }
    }
}
