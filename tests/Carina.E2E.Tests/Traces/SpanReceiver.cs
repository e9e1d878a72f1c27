using System.Collections.Concurrent;
using System.Net;
using Carina.E2E.Tests.Traces.Wire;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Carina.E2E.Tests.Traces;

/// <summary>One span as a process exported it.</summary>
public sealed record ReceivedSpan(
    string TraceId, string SpanId, string ParentId, string Service, string Name, IReadOnlyDictionary<string, string> Attributes);

/// <summary>A collector of traces: receives OTLP over HTTP and keeps the spans.</summary>
public sealed class SpanReceiver : IAsyncDisposable
{
    private readonly ConcurrentQueue<ReceivedSpan> _spans = new();
    private readonly WebApplication _app;

    private SpanReceiver()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        _app = builder.Build();
        _app.MapPost("/v1/traces", ReceiveAsync);
    }

    /// <summary>Value of OTEL_EXPORTER_OTLP_ENDPOINT.</summary>
    public string Endpoint =>
        _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();

    public IReadOnlyList<ReceivedSpan> Spans => [.. _spans];

    public static async Task<SpanReceiver> StartAsync(CancellationToken cancellationToken)
    {
        var receiver = new SpanReceiver();
        await receiver._app.StartAsync(cancellationToken);
        return receiver;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task ReceiveAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        foreach (var resource in Export.Parser.ParseFrom(body.ToArray()).ResourceSpans)
        {
            var service = ToDictionary(resource.Resource.Attributes).GetValueOrDefault("service.name", "");
            foreach (var span in resource.ScopeSpans.SelectMany(s => s.Spans))
            {
                _spans.Enqueue(new(
                    Convert.ToHexStringLower(span.TraceId.Span),
                    Convert.ToHexStringLower(span.SpanId.Span),
                    Convert.ToHexStringLower(span.ParentSpanId.Span),
                    service,
                    span.Name,
                    ToDictionary(span.Attributes)));
            }
        }
    }

    private static Dictionary<string, string> ToDictionary(IEnumerable<KeyValue> attributes) =>
        attributes.GroupBy(a => a.Key).ToDictionary(g => g.Key, g => g.Last().Value?.StringValue ?? "");
}
