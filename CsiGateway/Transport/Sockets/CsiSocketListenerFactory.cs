using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Carina.CsiGateway.Transport.Sockets;

/// <summary>Kestrel's transport for <see cref="CsiSocketEndPoint"/>: its socket transport on a file that we look after.</summary>
internal sealed class CsiSocketListenerFactory(ILoggerFactory loggers, TimeProvider? time = null)
    : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    public bool CanBind(EndPoint endpoint) => endpoint is CsiSocketEndPoint;

    public async ValueTask<IConnectionListener> BindAsync(
        EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        if (endpoint is not CsiSocketEndPoint socketEndPoint)
            throw new NotSupportedException($"{endpoint} is no socket file.");
        var file = await SocketFile
            .BindAsync(socketEndPoint, time ?? TimeProvider.System, loggers.CreateLogger<SocketFile>(), cancellationToken)
            .ConfigureAwait(false);
        try
        {
            // One queue: a node's socket has a handful of clients, and each queue has buffers of its own.
            var options = new SocketTransportOptions { IOQueueCount = 1, CreateBoundListenSocket = _ => file.Socket };
            var listener = await new SocketTransportFactory(Options.Create(options), loggers)
                .BindAsync(new UnixDomainSocketEndPoint(socketEndPoint.Path), cancellationToken)
                .ConfigureAwait(false);
            return new Listener(listener, endpoint, file);
        }
        catch
        {
            file.Remove();
            file.Socket.Dispose();
            throw;
        }
    }

    private sealed class Listener(IConnectionListener inner, EndPoint endPoint, SocketFile file) : IConnectionListener
    {
        public EndPoint EndPoint => endPoint;

        public ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default) =>
            inner.AcceptAsync(cancellationToken);

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            file.Remove();
            return inner.UnbindAsync(cancellationToken);
        }

        public ValueTask DisposeAsync()
        {
            file.Remove();
            return inner.DisposeAsync();
        }
    }
}
