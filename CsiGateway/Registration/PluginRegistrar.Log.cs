using Microsoft.Extensions.Logging;

namespace Carina.CsiGateway.Registration;

internal sealed partial class PluginRegistrar
{
    [LoggerMessage(1, LogLevel.Information, "Registration waits until {CsiSocket} is served: {Obstacle}")]
    private partial void LogWaiting(string csiSocket, string obstacle);

    [LoggerMessage(2, LogLevel.Information, "Offering driver {Driver} at {Endpoint} to the kubelet on {Socket}.")]
    private partial void LogOffered(string driver, string endpoint, string socket);

    [LoggerMessage(3, LogLevel.Information, "The kubelet registered driver {Driver}.")]
    private partial void LogRegistered(string driver);

    [LoggerMessage(4, LogLevel.Error, "The kubelet did not register driver {Driver}: {Reason}")]
    private partial void LogRefused(string driver, string reason);

    [LoggerMessage(5, LogLevel.Error, "Cannot offer the driver to the kubelet on {Socket}: {Reason}")]
    private partial void LogFailed(Exception exception, string socket, string reason);

    [LoggerMessage(6, LogLevel.Warning, "{Socket} was removed or replaced by someone else.")]
    private partial void LogLost(string socket);

    [LoggerMessage(7, LogLevel.Information, "The next attempt to register follows in {Seconds} s.")]
    private partial void LogPause(double seconds);
}
