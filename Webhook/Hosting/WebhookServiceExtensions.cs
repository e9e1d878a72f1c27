using Carina.Grains.Configuration;
using Carina.Kubernetes.Client;
using Carina.Kubernetes.Watching;
using Carina.Webhook.Admission;
using Carina.Webhook.Certificates;
using Carina.Webhook.Claims;
using k8s;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Carina.Webhook.Hosting;

/// <summary>Adds the webhook to a process.</summary>
public static class WebhookServiceExtensions
{
    /// <summary>
    /// Registers what the webhook needs, certificates included. The host brings <see cref="IKubernetes"/>
    /// (<see cref="KubernetesClientExtensions.AddKubernetesClient"/>) and <see cref="ICarinaConfigSource"/>, opens the port
    /// (<see cref="WebhookListenExtensions.ListenWebhook(Microsoft.AspNetCore.Hosting.IWebHostBuilder)"/>), and asks
    /// <see cref="IWebhookReadiness"/> in its readiness probe.
    /// </summary>
    public static IServiceCollection AddCarinaWebhook(
        this IServiceCollection services, Action<WebhookOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddOptions<WebhookOptions>().Configure(options => configure?.Invoke(options));
        services.AddOptions<KubernetesOptions>();
        services.TryAddSingleton(TimeProvider.System);
        services.AddPodClaims();
        services.AddResourceCache(provider => NamespaceOptOut.Source(provider.GetRequiredService<IKubernetes>()));
        services.TryAddSingleton<NamespaceOptOut>();
        services.TryAddSingleton<PodMutator>();
        services.TryAddSingleton<ReviewHandler>();
        services.TryAddSingleton<ReviewEndpoint>();
        services.AddCertificates();
        return services;
    }

    /// <summary>
    /// Maps <see cref="WebhookPaths.MutatePods"/>. It is for the webhook's port only; the host, who knows its other ports,
    /// ties it there.
    /// </summary>
    /// <exception cref="ArgumentException">A setting cannot work.</exception>
    public static IEndpointConventionBuilder MapCarinaWebhook(this IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        var services = endpoints.ServiceProvider;
        services.GetRequiredService<IOptions<WebhookOptions>>().Value.Validate();
        var endpoint = services.GetRequiredService<ReviewEndpoint>();
        return endpoints.MapPost(WebhookPaths.MutatePods, endpoint.HandleAsync);
    }

    private static void AddCertificates(this IServiceCollection services)
    {
        services.TryAddSingleton<ServingCertificate>();
        services.TryAddSingleton<WebhookReadiness>();
        services.TryAddSingleton<IWebhookReadiness>(provider => provider.GetRequiredService<WebhookReadiness>());
        services.TryAddSingleton<HookConfiguration>();
        services.TryAddSingleton<CertificateSecret>();
        services.TryAddSingleton<CertificateFiles>();
        services.TryAddSingleton<ICertificateStore>(provider =>
            provider.GetRequiredService<IOptions<WebhookOptions>>().Value.CertificateDirectory.Length > 0
                ? provider.GetRequiredService<CertificateFiles>()
                : provider.GetRequiredService<CertificateSecret>());
        services.AddHostedService<CertificateKeeper>();
    }
}
