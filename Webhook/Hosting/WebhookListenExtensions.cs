using System.Net.Security;
using System.Security.Authentication;
using Carina.Webhook.Certificates;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Carina.Webhook.Hosting;

/// <summary>Opens the webhook's port.</summary>
public static class WebhookListenExtensions
{
    private static readonly TimeSpan _handshakeTimeout = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Listens for HTTPS at <see cref="WebhookOptions.Port"/>, beside whatever else the process listens at, with the
    /// certificate that is good at the time of the connection. Needs <see cref="WebhookServiceExtensions.AddCarinaWebhook"/>.
    /// </summary>
    public static IWebHostBuilder ListenWebhook(this IWebHostBuilder host)
    {
        ArgumentNullException.ThrowIfNull(host);
        return host.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.ListenWebhook());
    }

    /// <inheritdoc cref="ListenWebhook(IWebHostBuilder)"/>
    public static void ListenWebhook(this KestrelServerOptions kestrel)
    {
        ArgumentNullException.ThrowIfNull(kestrel);
        var services = kestrel.ApplicationServices;
        var options = services.GetRequiredService<IOptions<WebhookOptions>>().Value;
        var serving = services.GetRequiredService<ServingCertificate>();
        kestrel.Listen(options.Address, options.Port, listen =>
        {
            listen.Protocols = HttpProtocols.Http1AndHttp2;
            listen.UseHttps(new TlsHandshakeCallbackOptions
            {
                HandshakeTimeout = _handshakeTimeout,
                OnConnection = _ => ValueTask.FromResult(new SslServerAuthenticationOptions
                {
                    ServerCertificateContext = serving.Context
                        ?? throw new AuthenticationException("There is no certificate for the webhook yet."),
                    EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
                }),
            });
        });
    }
}
