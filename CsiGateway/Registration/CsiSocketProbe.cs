using System.Net.Sockets;
using Grpc.Core;
using Grpc.Net.Client;

namespace Carina.CsiGateway.Registration;

/// <summary>
/// Asks the driver for its name over its own socket, as the kubelet will. The answer's content does not matter here: that
/// there is one shows that the kubelet would be served, and the code on its way is warm by then, so that the registration
/// keeps to the kubelet's one second.
/// </summary>
internal sealed class CsiSocketProbe : IDisposable
{
    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(5);
    private static readonly Marshaller<byte[]> _octets = Marshallers.Create(bytes => bytes, bytes => bytes);

    private static readonly Method<byte[], byte[]> _getPluginInfo =
        new(MethodType.Unary, "csi.v1.Identity", "GetPluginInfo", _octets, _octets);

    private readonly GrpcChannel _channel;

    public CsiSocketProbe(string path)
    {
        var endPoint = new UnixDomainSocketEndPoint(path);
        _channel = GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions
        {
            DisposeHttpClient = true,
            HttpHandler = new SocketsHttpHandler
            {
                ConnectCallback = async (_, cancellationToken) =>
                {
                    var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                    try
                    {
                        await socket.ConnectAsync(endPoint, cancellationToken).ConfigureAwait(false);
                        return new NetworkStream(socket, ownsSocket: true);
                    }
                    catch
                    {
                        socket.Dispose();
                        throw;
                    }
                },
            },
        });
    }

    /// <summary>Null if the driver answers, else what it says or why it does not.</summary>
    public async Task<string?> WhyNotServedAsync(CancellationToken cancellationToken)
    {
        using var call = _channel.CreateCallInvoker().AsyncUnaryCall(
            _getPluginInfo, null, new CallOptions(deadline: DateTime.UtcNow + _timeout, cancellationToken: cancellationToken), []);
        try
        {
            await call.ResponseAsync.ConfigureAwait(false);
            return null;
        }
        catch (RpcException e)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return $"{e.StatusCode}: {e.Status.Detail}";
        }
    }

    public void Dispose() => _channel.Dispose();
}
