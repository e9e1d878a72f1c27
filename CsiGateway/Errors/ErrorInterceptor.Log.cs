using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace Carina.CsiGateway.Errors;

/// <content>Log messages.</content>
internal sealed partial class ErrorInterceptor
{
    [LoggerMessage(1, LogLevel.Debug, "{Method} for volume '{VolumeId}' answered {Code}: {Message}")]
    private partial void LogRefused(string method, string volumeId, StatusCode code, string message);

    [LoggerMessage(2, LogLevel.Warning, "{Method} for volume '{VolumeId}' could not be carried out ({Code})")]
    private partial void LogTransient(Exception exception, string method, string volumeId, StatusCode code);

    [LoggerMessage(3, LogLevel.Error, "Incident {Incident}: {Method} for volume '{VolumeId}' failed unexpectedly")]
    private partial void LogIncident(Exception exception, string incident, string method, string volumeId);
}
