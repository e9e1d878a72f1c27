using System.Text;
using Grpc.Core;

namespace Carina.CsiGateway.Tests.Transport;

/// <summary>A gRPC service on plain octets, so that these tests need no messages of the driver's own.</summary>
[BindServiceMethod(typeof(EchoServiceBase), nameof(BindService))]
internal abstract class EchoServiceBase
{
    private static readonly Marshaller<byte[]> _octets = Marshallers.Create(bytes => bytes, bytes => bytes);

    /// <summary>Answers with the message.</summary>
    public static readonly Method<byte[], byte[]> EchoMethod = new(MethodType.Unary, "test.Echo", "Echo", _octets, _octets);

    /// <summary>Answers with the host that the server believes was asked for.</summary>
    public static readonly Method<byte[], byte[]> HostMethod = new(MethodType.Unary, "test.Echo", "Host", _octets, _octets);

    /// <summary>Answers with the value of the header <c>probe</c>.</summary>
    public static readonly Method<byte[], byte[]> ProbeMethod = new(MethodType.Unary, "test.Echo", "Probe", _octets, _octets);

    /// <summary>Answers each message as it comes.</summary>
    public static readonly Method<byte[], byte[]> StreamMethod =
        new(MethodType.DuplexStreaming, "test.Echo", "Stream", _octets, _octets);

    /// <summary>Found by the gRPC server through the attribute above.</summary>
    public static void BindService(ServiceBinderBase binder, EchoServiceBase? service)
    {
        binder.AddMethod(EchoMethod, service is null ? null : service.Echo);
        binder.AddMethod(HostMethod, service is null ? null : service.Host);
        binder.AddMethod(ProbeMethod, service is null ? null : service.Probe);
        binder.AddMethod(StreamMethod, service is null ? null : service.Stream);
    }

    public abstract Task<byte[]> Echo(byte[] request, ServerCallContext context);

    public abstract Task<byte[]> Host(byte[] request, ServerCallContext context);

    public abstract Task<byte[]> Probe(byte[] request, ServerCallContext context);

    public abstract Task Stream(
        IAsyncStreamReader<byte[]> requests, IServerStreamWriter<byte[]> answers, ServerCallContext context);
}

internal sealed class EchoService : EchoServiceBase
{
    public override Task<byte[]> Echo(byte[] request, ServerCallContext context) => Task.FromResult(request);

    public override Task<byte[]> Host(byte[] request, ServerCallContext context) =>
        Task.FromResult(Encoding.UTF8.GetBytes(context.Host));

    public override Task<byte[]> Probe(byte[] request, ServerCallContext context) =>
        Task.FromResult(Encoding.UTF8.GetBytes(context.RequestHeaders.GetValue("probe") ?? ""));

    public override async Task Stream(
        IAsyncStreamReader<byte[]> requests, IServerStreamWriter<byte[]> answers, ServerCallContext context)
    {
        while (await requests.MoveNext(context.CancellationToken))
            await answers.WriteAsync(requests.Current, context.CancellationToken);
    }
}
