using Microsoft.Extensions.Logging;

namespace Carina.CsiGateway.Transport.Authority;

internal sealed partial class SocketPathAuthority
{
    [LoggerMessage(1, LogLevel.Debug,
        "Connection {ConnectionId}: the client names no host but a socket path; requests are served as for localhost.")]
    private partial void LogRewriting(string connectionId);

    [LoggerMessage(2, LogLevel.Warning, "Connection {ConnectionId} is closed: {Reason}.")]
    private partial void LogRefused(string connectionId, string reason);
}
