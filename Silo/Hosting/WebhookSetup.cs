using System.Net;
using Carina.Webhook.Hosting;
using Carina.Webhook.Scheduling;

namespace Carina.Silo.Hosting;

/// <summary>Admission webhook and scheduler extender, on an HTTPS port of the controller.</summary>
internal static class WebhookSetup
{
    public static void AddWebhook(this WebApplicationBuilder builder, SiloOptions options)
    {
        if (!IsOffered(options))
        {
            return;
        }

        builder.Services.AddCarinaWebhook(webhook =>
        {
            webhook.Address = IPAddress.Parse(options.Address);
            webhook.Port = options.WebhookPort;
            webhook.ServiceName = options.WebhookService;
            webhook.SecretName = options.WebhookSecret;
            webhook.ConfigurationName = options.WebhookConfiguration;
            webhook.CertificateDirectory = options.WebhookCertificates;
        });
        builder.Services.AddSchedulerExtender();
        builder.WebHost.ListenWebhook();
    }

    public static void MapWebhook(this WebApplication app, SiloOptions options)
    {
        if (IsOffered(options))
        {
            app.MapCarinaWebhook().OnlyOnPort(options.WebhookPort);
            app.MapGroup("").OnlyOnPort(options.WebhookPort).MapSchedulerExtender();
        }
    }

    private static bool IsOffered(SiloOptions options)
    {
        if (options.WebhookPort == 0)
        {
            return false;
        }

        return options is { Role: SiloRole.Controller, Store: StoreKind.Kubernetes }
            ? true
            : throw new ArgumentException(
                "--webhook-port is for controllers in Kubernetes: it needs --role controller and --store kubernetes.");
    }
}
