using System.Net;
using Carina.CsiGateway.Identity;
using Carina.Webhook.Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Carina.Silo.Hosting;

/// <summary>What kubelet's probes and Prometheus ask for, on a port of its own.</summary>
internal static class HttpEndpoints
{
    public static void ListenHttp(this IWebHostBuilder builder, SiloOptions options)
    {
        if (options.HttpPort > 0)
        {
            builder.ConfigureKestrel(kestrel => kestrel.Listen(
                IPAddress.Parse(options.Address), options.HttpPort, listen => listen.Protocols = HttpProtocols.Http1));
        }
    }

    public static void MapHttp(this IEndpointRouteBuilder endpoints, SiloOptions options)
    {
        if (options.HttpPort == 0)
        {
            return;
        }

        // Alive: the process answers. It must not depend on others: restarting cures nobody else's fault.
        endpoints.MapGet("/healthz", () => "ok\n").OnlyOnPort(options.HttpPort);
        endpoints.MapGet("/readyz", async (HttpContext context) =>
                await FindObstacleAsync(context) is { Length: > 0 } obstacle
                    ? Results.Text($"not ready: {obstacle}\n", statusCode: StatusCodes.Status503ServiceUnavailable)
                    : Results.Text("ok\n"))
            .OnlyOnPort(options.HttpPort);
        endpoints.MapPrometheusScrapingEndpoint("/metrics").OnlyOnPort(options.HttpPort);
    }

    private static async Task<string> FindObstacleAsync(HttpContext context)
    {
        var readiness = context.RequestServices.GetRequiredService<IReadiness>();
        return await readiness.IsReadyAsync(context.RequestAborted)
            ? context.RequestServices.GetService<IWebhookReadiness>()?.Obstacle ?? ""
            : "The disks have not been looked at yet.";
    }
}
