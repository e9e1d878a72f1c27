using Carina.Grains.Telemetry;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Carina.Silo.Telemetry;

/// <summary>OpenTelemetry, exported over OTLP when the usual environment variables say where to.</summary>
internal static class TelemetryExtensions
{
    public static void AddCarinaTelemetry(this IServiceCollection services, IConfiguration configuration, SiloOptions options)
    {
        if (string.IsNullOrEmpty(configuration["OTEL_EXPORTER_OTLP_ENDPOINT"])
            && string.IsNullOrEmpty(configuration["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]))
        {
            return;
        }

        services.AddOpenTelemetry()
            .ConfigureResource(resource => resource
                .AddService("carina-" + options.Role.ToString().ToLowerInvariant(), serviceInstanceId: options.NodeName)
                .AddAttributes([KeyValuePair.Create<string, object>("host.name", options.NodeName)]))
            .WithTracing(tracing => tracing
                .AddSource(CarinaTelemetry.SourceName)
                .AddSource("Microsoft.Orleans.Application")
                .AddAspNetCoreInstrumentation()
                .AddProcessor(new VolumeIdProcessor())
                .AddOtlpExporter());
    }
}
