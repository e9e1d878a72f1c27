using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Carina.Grains.Configuration;
using Carina.Kubernetes.Client;
using Carina.Webhook.Certificates;
using Carina.Webhook.Hosting;
using Carina.Webhook.Lookup;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Carina.Webhook.Tests.Hosting;

/// <summary>A process with the webhook.</summary>
internal sealed class WebhookHost : IAsyncDisposable
{
    private readonly WebApplication _app;

    private WebhookHost(WebApplication app)
    {
        _app = app;
        Webhook = new(app.Urls.Single());
    }

    /// <summary>Where the webhook is.</summary>
    public Uri Webhook { get; }

    public string Obstacle => _app.Services.GetRequiredService<IWebhookReadiness>().Obstacle;

    public static async Task<WebhookHost> StartAsync(
        string kubeconfig, string ns, Action<WebhookOptions> configure, TimeProvider? time = null, int port = 0)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Logging.SetMinimumLevel(LogLevel.Information);
        builder.Logging.AddProvider(new TestOutput());
        builder.Services.AddSingleton(time ?? TimeProvider.System);
        builder.Services.AddSingleton<ICarinaConfigSource>(FixedConfig.Usual());
        builder.Services.AddKubernetesClient(options => (options.Kubeconfig, options.Namespace) = (kubeconfig, ns));
        builder.Services.Configure<ApiLookupOptions>(options => options.Timeout = TimeSpan.FromSeconds(5));
        builder.Services.AddCarinaWebhook(options =>
        {
            options.Address = IPAddress.Loopback;
            options.Port = port;
            options.ExtraNames = ["127.0.0.1"];
            options.DecisionTimeout = TimeSpan.FromSeconds(10);
            configure(options);
        });
        builder.WebHost.ListenWebhook();
        var app = builder.Build();
        app.MapCarinaWebhook();
        await app.StartAsync(TestContext.Current.CancellationToken);
        return new(app);
    }

    /// <summary>The certificate that a new connection gets; null when it gets none.</summary>
    public async Task<X509Certificate2?> ReadCertificateAsync()
    {
        X509Certificate2? seen = null;
        using var client = CreateClient(certificate => seen = certificate);
        try
        {
            using var _ = await client.GetAsync(new Uri(Webhook, "/"), TestContext.Current.CancellationToken);
        }
        catch (HttpRequestException)
        {
            return null;
        }

        return seen;
    }

    /// <summary>A client that takes every certificate, and speaks HTTP/2 as the API server does.</summary>
    public static HttpClient CreateClient(Action<X509Certificate2>? seen = null) => new(new SocketsHttpHandler
    {
        SslOptions = new SslClientAuthenticationOptions
        {
            RemoteCertificateValidationCallback = (_, certificate, _, _) =>
            {
                // Whom to trust is the API server's business, and tested with it.
                if (certificate is not null)
                {
                    seen?.Invoke(X509CertificateLoader.LoadCertificate(certificate.GetRawCertData()));
                }

                return certificate is not null;
            },
        },
    })
    {
        DefaultRequestVersion = HttpVersion.Version20,
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        Timeout = TimeSpan.FromSeconds(30),
    };

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
    }

    private sealed class TestOutput : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            TestContext.Current.TestOutputHelper?.WriteLine($"{logLevel}: {formatter(state, exception)} {exception}");

        public void Dispose()
        {
        }
    }
}
