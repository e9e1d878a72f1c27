using Carina.CsiGateway.Transport.Authority;
using Carina.Grains.Errors;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Carina.CsiGateway.Transport.Sockets;

/// <summary>Serves gRPC on a socket file as kubelets and CSI sidecars expect it.</summary>
public static class CsiSocketExtensions
{
    // Not Timeout.InfiniteTimeSpan: Kestrel 10 adds that to the clock of an HTTP/2 connection, overflows, and closes the
    // connection within a second.
    private static readonly TimeSpan _idleForGood = TimeSpan.FromDays(3650);

    /// <summary>
    /// Listens on the socket file <paramref name="path"/>: HTTP/2 without TLS, for its owner only (mode 0600), for any
    /// <c>:authority</c>. The directory is made if need be, a socket that a dead process left is removed, and ours is
    /// removed when the server stops. The server does not start (<see cref="StorageException"/>, FailedPrecondition)
    /// while another process listens there, or if the path leads to something that is no socket.
    /// </summary>
    /// <remarks>
    /// Two of Kestrel's limits change for the whole server. HTTP/2 clients get no table of header fields, which other
    /// endpoints notice in bytes only. Idle connections stay open: sidecars take the loss of theirs for the death of
    /// the driver and exit, which Kestrel's 130 s would make them do again and again.
    /// </remarks>
    /// <exception cref="StorageException">InvalidArgument: the path is relative or longer than 107 octets.</exception>
    public static IWebHostBuilder ListenCsiSocket(this IWebHostBuilder builder, string path)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var endPoint = new CsiSocketEndPoint(path);
        return builder
            .ConfigureServices(services => services.TryAddEnumerable(
                ServiceDescriptor.Singleton<IConnectionListenerFactory, CsiSocketListenerFactory>()))
            .ConfigureKestrel(kestrel =>
            {
                kestrel.Limits.Http2.HeaderTableSize = 0;
                kestrel.Limits.KeepAliveTimeout = _idleForGood;
                kestrel.Listen(endPoint, listen =>
                {
                    listen.Protocols = HttpProtocols.Http2;
                    listen.UseSocketPathAuthority();
                });
            });
    }
}
