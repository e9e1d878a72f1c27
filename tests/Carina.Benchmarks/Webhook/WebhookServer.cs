using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Carina.Grains.Configuration;
using Carina.Kubernetes.Client;
using Carina.Kubernetes.Watching;
using Carina.Webhook.Hosting;
using k8s.Models;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Carina.Benchmarks.Webhook;

/// <summary>The webhook on loopback, over HTTPS, with a certificate from files; and beside it an endpoint that does nothing.</summary>
internal sealed class WebhookServer : IAsyncDisposable
{
    public const string EmptyPath = "/empty";
    private const string Kubeconfig = """
        apiVersion: v1
        kind: Config
        current-context: nobody
        clusters: [{ name: nobody, cluster: { server: "http://127.0.0.1:1" } }]
        users: [{ name: nobody, user: { token: none } }]
        contexts: [{ name: nobody, context: { cluster: nobody, user: nobody } }]
        """;

    // As many bytes as an answer with a patch has.
    private static readonly byte[] _emptyAnswer = new byte[420];
    private readonly WebApplication _app;
    private readonly string _directory;
    private readonly string _thumbprint;

    private WebhookServer(WebApplication app, string directory, string thumbprint)
    {
        (_app, _directory, _thumbprint) = (app, directory, thumbprint);
        Address = new(app.Urls.Single());
    }

    public Uri Address { get; }

    public static async Task<WebhookServer> StartAsync(CancellationToken cancellationToken)
    {
        var directory = Directory.CreateTempSubdirectory("carina-webhook-").FullName;
        var thumbprint = await WriteFilesAsync(directory, cancellationToken);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<ICarinaConfigSource>(new Unconfigured());
        builder.Services.AddSingleton<IResourceCache<V1Namespace>>(ClusterObjects.Namespaces());
        builder.Services.AddSingleton<IResourceCache<V1StorageClass>>(ClusterObjects.Classes());
        builder.Services.AddSingleton<IResourceCache<V1PersistentVolumeClaim>>(ClusterObjects.PersistentVolumeClaims());
        builder.Services.AddSingleton<IResourceCache<V1PersistentVolume>>(ClusterObjects.PersistentVolumes());
        builder.Services.AddKubernetesClient(options => options.Kubeconfig = Path.Combine(directory, "kubeconfig"));
        builder.Services.AddCarinaWebhook(options =>
            (options.Address, options.Port, options.CertificateDirectory) = (IPAddress.Loopback, 0, directory));
        builder.WebHost.ListenWebhook();
        var app = builder.Build();
        app.MapCarinaWebhook();
        app.MapPost(EmptyPath, (RequestDelegate)AnswerEmptyAsync);
        await app.StartAsync(cancellationToken);
        return new(app, directory, thumbprint);
    }

    /// <summary>A client that keeps one HTTP/2 connection, as the API server does.</summary>
    public HttpClient CreateClient() => new(new SocketsHttpHandler
    {
        SslOptions = new SslClientAuthenticationOptions
        {
            RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate?.GetCertHashString() == _thumbprint,
        },
    })
    {
        BaseAddress = Address,
        DefaultRequestVersion = HttpVersion.Version20,
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        Timeout = TimeSpan.FromSeconds(30),
    };

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private static async Task AnswerEmptyAsync(HttpContext context)
    {
        await context.Request.Body.CopyToAsync(Stream.Null, context.RequestAborted);
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = _emptyAnswer.Length;
        await context.Response.Body.WriteAsync(_emptyAnswer, context.RequestAborted);
    }

    private static async Task<string> WriteFilesAsync(string directory, CancellationToken cancellationToken)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=carina-controller", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("carina-controller.default.svc");
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddDays(1));
        await File.WriteAllTextAsync(Path.Combine(directory, "tls.crt"), certificate.ExportCertificatePem(), cancellationToken);
        await File.WriteAllTextAsync(Path.Combine(directory, "tls.key"), key.ExportPkcs8PrivateKeyPem(), cancellationToken);
        await File.WriteAllTextAsync(Path.Combine(directory, "kubeconfig"), Kubeconfig, cancellationToken);
        return certificate.GetCertHashString();
    }

    private sealed class Unconfigured : ICarinaConfigSource, IDisposable
    {
        public CarinaConfig Current => CarinaConfig.Empty;

        public IDisposable OnChange(Action<CarinaConfig> listener) => this;

        public void Dispose()
        {
        }
    }
}
