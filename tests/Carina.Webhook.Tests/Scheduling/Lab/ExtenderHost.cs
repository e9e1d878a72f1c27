using System.Net;
using System.Security.Cryptography.X509Certificates;
using Carina.Grains.Configuration;
using Carina.Harness.Kubernetes;
using Carina.Webhook.Scheduling;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Carina.Webhook.Tests.Scheduling.Lab;

/// <summary>The extender as carina-controller serves it, with TLS on loopback, as a user with its own role only.</summary>
internal sealed class ExtenderHost : IAsyncDisposable
{
    public const string User = "carina-scheduler-extender";
    private readonly WebApplication _app;

    private ExtenderHost(WebApplication app) => _app = app;

    public Uri Address => new(_app.Urls.Single());

    public static async Task<ExtenderHost> StartAsync(ControlPlane plane, StorageCluster storage, int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(
            IPAddress.Loopback,
            port,
            listen => listen.UseHttps(
                X509Certificate2.CreateFromPemFile(plane.Keys.ServingCertificatePath, plane.Keys.ServingKeyPath))));

        // It belongs to the control plane; a factory would dispose of it with the host.
        builder.Services.AddSingleton(plane.Client(User));
        builder.Services.AddSingleton(storage.Grains);
        builder.Services.AddSingleton<ICarinaConfigSource>(storage.Config);
        builder.Services.AddSchedulerExtender();
        var app = builder.Build();
        app.MapSchedulerExtender();
        await app.StartAsync();
        return new(app);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }
}
