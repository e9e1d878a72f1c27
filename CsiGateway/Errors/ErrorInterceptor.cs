using System.Diagnostics;
using Carina.CsiGateway.Validation;
using Carina.Grains.Errors;
using Carina.Grains.Telemetry;
using Carina.Grains.Volumes;
using Csi.V1;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.Extensions.Logging;

namespace Carina.CsiGateway.Errors;

/// <summary>
/// Around every call: a span that carries the volume's id, and a status that callers can act on for whatever was
/// thrown.
/// </summary>
internal sealed partial class ErrorInterceptor(ILogger<ErrorInterceptor> logger, TimeProvider time) : Interceptor
{
    private const string SpanPrefix = "csi ";

    private readonly ILogger _logger = logger;

    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        var method = context.Method[(context.Method.LastIndexOf('/') + 1)..];
        var volumeId = VolumeIdOf(request);
        Activity.Current?.SetTag(CarinaTelemetry.VolumeIdTag, volumeId);
        using var activity = volumeId is null
            ? CarinaTelemetry.Source.StartActivity(SpanPrefix + method)
            : CarinaTelemetry.StartVolumeSpan(SpanPrefix + method, volumeId);
        // As baggage the id reaches the spans of grains and agents that this call leads to.
        activity?.SetBaggage(CarinaTelemetry.VolumeIdTag, volumeId);
        try
        {
            return await continuation(request, context);
        }
        catch (Exception exception)
        {
            var status = Report(exception, method, volumeId ?? "", context);
            activity?.SetStatus(ActivityStatusCode.Error, status.Detail);
            throw new RpcException(status);
        }
    }

    private Status Report(Exception exception, string method, string volumeId, ServerCallContext context)
    {
        var (status, isOurFault) = ErrorTranslation.Translate(
            exception,
            method,
            callerGaveUp: context.CancellationToken.IsCancellationRequested,
            deadlinePassed: context.Deadline <= time.GetUtcNow().UtcDateTime);
        if (isOurFault)
        {
            var incident = Guid.NewGuid().ToString("N")[..12];
            LogIncident(exception, incident, method, volumeId);
            return exception is StorageException
                ? new Status(status.StatusCode, $"{status.Detail} (incident {incident})")
                : ErrorTranslation.Incident(method, incident);
        }

        if (exception is StorageException or RpcException)
        {
            LogRefused(method, volumeId, status.StatusCode, status.Detail);
        }
        else
        {
            LogTransient(exception, method, volumeId, status.StatusCode);
        }

        return status;
    }

    // Every request about a volume has the field volume_id, or a name from which the id follows. What is too long is
    // kept out of spans and logs.
    private static string? VolumeIdOf(object request) => request switch
    {
        CreateVolumeRequest { Name: { Length: > 0 and <= TextRules.MaxStringBytes } name } => VolumeIds.FromName(name),
        IMessage message when message.Descriptor.FindFieldByName("volume_id") is { } field
            && field.Accessor.GetValue(message) is string { Length: > 0 and <= TextRules.MaxStringBytes } id => id,
        _ => null,
    };
}
