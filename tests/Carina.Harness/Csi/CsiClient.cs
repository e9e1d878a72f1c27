using System.Net.Sockets;
using Csi.V1;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;

namespace Carina.Harness.Csi;

/// <summary>A caller of one CSI socket. Calls without a deadline of their own get one.</summary>
public sealed class CsiClient : IDisposable
{
    /// <summary>Deadline of calls; generous, because the test kernel starts processes slowly.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    private readonly GrpcChannel _channel;

    public CsiClient(string socketPath)
    {
        SocketPath = socketPath;
        _channel = GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler { ConnectCallback = ConnectAsync },
            DisposeHttpClient = true,
        });
        var invoker = _channel.Intercept(new DeadlineInterceptor());
        Identity = new(invoker);
        Controller = new(invoker);
        Node = new(invoker);
    }

    public string SocketPath { get; }

    public Identity.IdentityClient Identity { get; }

    public Controller.ControllerClient Controller { get; }

    public Node.NodeClient Node { get; }

    /// <summary>Whether the process behind the socket answers and says that it is ready.</summary>
    public async Task<bool> IsReadyAsync(CancellationToken cancellationToken)
    {
        try
        {
            var options = new CallOptions(deadline: DateTime.UtcNow.AddSeconds(5), cancellationToken: cancellationToken);
            var answer = await Identity.ProbeAsync(new(), options);
            return answer.Ready ?? true;
        }
        catch (RpcException exception) when (exception.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded)
        {
            return false;
        }
    }

    public void Dispose() => _channel.Dispose();

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(SocketPath), cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private sealed class DeadlineInterceptor : Interceptor
    {
        public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
            TRequest request,
            ClientInterceptorContext<TRequest, TResponse> context,
            AsyncUnaryCallContinuation<TRequest, TResponse> continuation)
        {
            var options = context.Options.Deadline is null
                ? context.Options.WithDeadline(DateTime.UtcNow + CsiClient.Deadline)
                : context.Options;
            return continuation(request, new(context.Method, context.Host, options));
        }
    }
}
