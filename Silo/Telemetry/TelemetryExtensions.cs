using Carina.Grains.Telemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Carina.Silo.Telemetry;

/// <summary>
/// OpenTelemetry: traces over OTLP when the usual environment variables say where to, metrics for whoever scrapes them.
/// </summary>
internal static class TelemetryExtensions
{
    public static void AddCarinaTelemetry(this IServiceCollection services, IConfiguration configuration, SiloOptions options)
    {
        var telemetry = services.AddOpenTelemetry().ConfigureResource(resource => resource
            .AddService("carina-" + options.Role.ToString().ToLowerInvariant(), serviceInstanceId: options.NodeName)
            .AddAttributes([KeyValuePair.Create<string, object>("host.name", options.NodeName)]));
        if (!string.IsNullOrEmpty(configuration["OTEL_EXPORTER_OTLP_ENDPOINT"])
            || !string.IsNullOrEmpty(configuration["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]))
        {
            telemetry.WithTracing(tracing => tracing
                .AddSource(CarinaTelemetry.SourceName)
                .AddSource("Microsoft.Orleans.Application")
                .AddAspNetCoreInstrumentation()
                .AddProcessor(new VolumeIdProcessor())
                .AddOtlpExporter());
        }

        if (options.HttpPort > 0)
        {
            telemetry.WithMetrics(metrics => metrics
                .AddMeter(CarinaTelemetry.SourceName)
                .AddMeter("Microsoft.Orleans")
                .AddMeter("System.Runtime")
                .AddMeter("Microsoft.AspNetCore.Hosting")
                .AddPrometheusExporter());
        }
    }
}
