using System.Net;
using Carina.CsiGateway.Identity;
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
        endpoints.MapGet("/readyz", async (IReadiness readiness, CancellationToken cancellationToken) =>
            await readiness.IsReadyAsync(cancellationToken)
                ? Results.Text("ok\n")
                : Results.Text("not ready: the disks have not been looked at yet\n", statusCode: StatusCodes.Status503ServiceUnavailable))
            .OnlyOnPort(options.HttpPort);
        endpoints.MapPrometheusScrapingEndpoint("/metrics").OnlyOnPort(options.HttpPort);
    }
}
