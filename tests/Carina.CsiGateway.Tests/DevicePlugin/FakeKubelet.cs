using System.Collections.Concurrent;
using System.Net.Sockets;
using Carina.CsiGateway.DevicePlugin.Protocol;
using Carina.CsiGateway.Transport.Sockets;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Carina.CsiGateway.Tests.DevicePlugin;

/// <summary>
/// The device manager of a kubelet: empties its directory, listens, and watches each plugin that registers. Counts as a
/// kubelet counts: capacity is every device, allocatable the healthy ones.
/// </summary>
internal sealed class FakeKubelet : Carina.CsiGateway.DevicePlugin.Protocol.Registration.RegistrationBase, IAsyncDisposable
{
    private readonly string _directory;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentBag<Task> _watches = [];
    private WebApplication? _app;

    private FakeKubelet(string directory) => _directory = directory;

    /// <summary>Capacity and allocatable by resource.</summary>
    public ConcurrentDictionary<string, (int Capacity, int Allocatable)> Node { get; } = new();

    public ConcurrentQueue<RegisterRequest> Registered { get; } = new();

    public static async Task<FakeKubelet> StartAsync(string directory)
    {
        foreach (var old in Directory.EnumerateFiles(directory))
        {
            File.Delete(old);
        }

        var kubelet = new FakeKubelet(directory);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ListenCsiSocket(Path.Combine(directory, "kubelet.sock"));
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(kubelet);
        kubelet._app = builder.Build();
        kubelet._app.MapGrpcService<FakeKubelet>();
        await kubelet._app.StartAsync();
        return kubelet;
    }

    public override Task<Empty> Register(RegisterRequest request, ServerCallContext context)
    {
        Registered.Enqueue(request);
        _watches.Add(WatchAsync(request));
        return Task.FromResult(new Empty());
    }

    public async Task UntilAsync(string resource, int capacity, int allocatable)
    {
        for (var i = 0; i < 500; i++)
        {
            if (Node.TryGetValue(resource, out var seen) && seen == (capacity, allocatable))
            {
                return;
            }

            await Task.Delay(20, TestContext.Current.CancellationToken);
        }

        Assert.Fail($"The kubelet counts {(Node.TryGetValue(resource, out var last) ? last : "nothing")} of {resource}.");
    }

    public GrpcChannel Dial(string endpoint) => GrpcChannel.ForAddress("http://localhost", new()
    {
        HttpHandler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, stop) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(_directory, endpoint)), stop);
                return new NetworkStream(socket, ownsSocket: true);
            },
        },
        DisposeHttpClient = true,
    });

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _app!.DisposeAsync();
        await Task.WhenAll(_watches);
        _stop.Dispose();
    }

    private async Task WatchAsync(RegisterRequest plugin)
    {
        try
        {
            using var channel = Dial(plugin.Endpoint);
            using var call = new Carina.CsiGateway.DevicePlugin.Protocol.DevicePlugin.DevicePluginClient(channel)
                .ListAndWatch(new(), cancellationToken: _stop.Token);
            await foreach (var list in call.ResponseStream.ReadAllAsync(_stop.Token))
            {
                Assert.Equal(list.Devices.Count, list.Devices.Select(d => d.ID).Distinct().Count());
                Node[plugin.ResourceName] = (list.Devices.Count, list.Devices.Count(d => d.Health == "Healthy"));
            }
        }
        catch (Exception exception) when (exception is RpcException or OperationCanceledException)
        {
        }

        // The plugin went: its devices are unhealthy from then on.
        Node.AddOrUpdate(plugin.ResourceName, (0, 0), (_, seen) => (seen.Capacity, 0));
    }
}
