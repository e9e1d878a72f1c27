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
    /// <param name="options">Where the API server is, and how long a request may take.</param>
    /// <param name="time">Counts deadlines and waits.</param>
    /// <param name="handlers">More handlers, next to the network; tests put faults there.</param>
    public static IKubernetes Create(
        KubernetesOptions options, TimeProvider time, params IReadOnlyList<DelegatingHandler> handlers)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(handlers);
        if (options.RequestTimeout <= TimeSpan.Zero)
        {
            throw new ArgumentException(
                $"Requests to the Kubernetes API need time to be answered; {nameof(KubernetesOptions.RequestTimeout)} is {options.RequestTimeout}.",
                nameof(options));
        }

        var configuration =
            options.Kubeconfig.Length > 0 ? KubernetesClientConfiguration.BuildConfigFromConfigFile(options.Kubeconfig)
            : KubernetesClientConfiguration.IsInCluster() ? KubernetesClientConfiguration.InClusterConfig()
            : KubernetesClientConfiguration.BuildDefaultConfig();
        configuration.UserAgent = KubernetesOptions.UserAgent;
        // DeadlineHandler keeps the time: the library's own limit neither names the request nor covers a watch's start.
        configuration.HttpClientTimeout = Timeout.InfiniteTimeSpan;
        configuration.FirstMessageHandlerSetup = handler =>
        {
            handler.ConnectTimeout = options.RequestTimeout;
            // Without a ping a watch on a machine that lost its power would wait for the kernel to give up.
            handler.KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests;
            handler.KeepAlivePingDelay = KubernetesOptions.SilenceBeforePing;
            handler.KeepAlivePingTimeout = KubernetesOptions.PingTimeout;
        };
        return new k8s.Kubernetes(
            configuration, [new DeadlineHandler(options.RequestTimeout, time), new ThrottlingHandler(time), .. handlers]);
    }

    private static void Complete(KubernetesOptions options)
    {
        if (options.Namespace.Length == 0)
        {
            options.Namespace = File.Exists(NamespaceFile) ? File.ReadAllText(NamespaceFile).Trim() : "default";
        }
    }
}
