using Microsoft.Extensions.Logging;

namespace Carina.CsiGateway.Transport.Sockets;

internal sealed partial class SocketFile
{
    [LoggerMessage(1, LogLevel.Information, "Removed {Path}, a socket on which nobody listened.")]
    private static partial void LogStaleRemoved(ILogger logger, string path);

    [LoggerMessage(2, LogLevel.Warning, "Left {Path} alone: it is gone, or no longer the socket made here.")]
    private static partial void LogNotOurs(ILogger logger, string path);
}
