using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Options;

namespace Carina.Silo.Membership.Patience;

/// <summary>Tells a silo that is silent from one that is not there.</summary>
internal interface ISiloDoor
{
    /// <summary>
    /// Whether a process holds the silo's port on a machine that answers. Needs no answer of the process: a stopped or
    /// starved one still has its door.
    /// </summary>
    Task<bool> IsThereAsync(IPEndPoint silo, CancellationToken cancellationToken);
}

/// <summary>
/// Opens a TCP connection and closes it again: the kernel completes the handshake for whoever listens (listen(2)), refuses
/// it where nobody does, and is silent where there is no machine.
/// </summary>
internal sealed class TcpSiloDoor(IOptions<PatienceOptions> options, TimeProvider time) : ISiloDoor
{
    public async Task<bool> IsThereAsync(IPEndPoint silo, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(options.Value.ConnectTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        using var socket = new Socket(silo.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(silo, either.Token);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }
}
