using Carina.CsiGateway.DevicePlugin.Protocol;
using Grpc.Core;
using Microsoft.Extensions.Hosting;

namespace Carina.CsiGateway.DevicePlugin;

/// <summary>Tells a kubelet of one group's devices.</summary>
internal sealed class DevicePluginService(GroupDevices devices, IHostApplicationLifetime server) : Protocol.DevicePlugin.DevicePluginBase
{
    public override Task<Protocol.DevicePluginOptions> GetDevicePluginOptions(Empty request, ServerCallContext context) =>
        Task.FromResult(new Protocol.DevicePluginOptions());

    public override async Task ListAndWatch(
        Empty request, IServerStreamWriter<ListAndWatchResponse> responseStream, ServerCallContext context)
    {
        // A watch lasts as long as either side; a server that stops would otherwise wait for its kubelet.
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, server.ApplicationStopping);
        while (!end.IsCancellationRequested)
        {
            var (now, changed) = devices.Read();
            await responseStream.WriteAsync(now, context.CancellationToken);
            await changed.WaitAsync(end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>A container that asks for GiB as a resource gets nothing into it: volumes come through claims.</summary>
    public override Task<AllocateResponse> Allocate(AllocateRequest request, ServerCallContext context)
    {
        var response = new AllocateResponse();
        response.ContainerResponses.AddRange(request.ContainerRequests.Select(_ => new ContainerAllocateResponse()));
        return Task.FromResult(response);
    }
}
