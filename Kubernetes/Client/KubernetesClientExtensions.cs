using k8s;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Carina.Kubernetes.Client;

/// <summary>Adds access to the Kubernetes API.</summary>
public static class KubernetesClientExtensions
{
    private const string NamespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

    /// <summary>One <see cref="IKubernetes"/> for the process; its connections are shared.</summary>
    public static IServiceCollection AddKubernetesClient(
        this IServiceCollection services, Action<KubernetesOptions>? configure = null)
    {
        services.AddOptions<KubernetesOptions>().Configure(options => configure?.Invoke(options)).PostConfigure(Complete);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(provider => Create(
            provider.GetRequiredService<IOptions<KubernetesOptions>>().Value, provider.GetRequiredService<TimeProvider>()));
        return services;
    }

    /// <summary>A client of its own, for programs without a service collection.</summary>
    public static IKubernetes Create(KubernetesOptions options, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(options);
        var configuration =
            options.Kubeconfig.Length > 0 ? KubernetesClientConfiguration.BuildConfigFromConfigFile(options.Kubeconfig)
            : KubernetesClientConfiguration.IsInCluster() ? KubernetesClientConfiguration.InClusterConfig()
            : KubernetesClientConfiguration.BuildDefaultConfig();
        configuration.UserAgent = KubernetesOptions.UserAgent;
        configuration.HttpClientTimeout = options.RequestTimeout;
        return new k8s.Kubernetes(configuration, new ThrottlingHandler(time));
    }

    private static void Complete(KubernetesOptions options)
    {
        if (options.Namespace.Length == 0)
        {
            options.Namespace = File.Exists(NamespaceFile) ? File.ReadAllText(NamespaceFile).Trim() : "default";
        }
    }
}
