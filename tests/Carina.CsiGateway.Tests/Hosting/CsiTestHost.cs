using System.Net.Sockets;
using Carina.CsiGateway.Hosting;
using Carina.CsiGateway.Identity;
using Carina.Grains.Agents;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Carina.CsiGateway.Tests.Hosting;

/// <summary>The CSI services behind a real Unix socket, with a cluster and a node that live in memory.</summary>
public sealed class CsiTestHost : IAsyncLifetime, IAsyncDisposable
{
    public const string NodeName = "node-a";

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("carina-csi-");
    private WebApplication? _app;
    private GrpcChannel? _channel;

    internal MemoryCluster Cluster { get; } = new(NodeName, "node-b");

    internal MemoryNodeVolumes NodeVolumes { get; } = new();

    internal LogRecorder Log { get; } = new();

    internal CsiRole Role { get; init; } = CsiRole.Both;

    internal int MaxVolumesPerNode { get; init; } = CsiOptions.DefaultMaxVolumesPerNode;

    internal TimeSpan VolumeWait { get; init; } = TimeSpan.FromSeconds(10);

    internal IReadiness? Readiness { get; init; }

    /// <summary>The only directory below which volumes may appear.</summary>
    public string Root => Path.Combine(_directory.FullName, "kubelet");

    public string Outside => Path.Combine(_directory.FullName, "outside");

    public string Staging => Path.Combine(Root, "plugins/staging");

    public string Target => Path.Combine(Root, "pods/pod-1/mount");

    internal ChannelBase Channel => _channel!;

    internal Csi.V1.Identity.IdentityClient IdentityClient => new(Channel);

    internal Csi.V1.Controller.ControllerClient ControllerClient => new(Channel);

    internal Csi.V1.Node.NodeClient NodeClient => new(Channel);

    /// <summary>Calls that went past the door, to grains or to the node.</summary>
    public int CallsBehindTheDoor => Cluster.Calls + NodeVolumes.Calls;

    public async ValueTask InitializeAsync()
    {
        Directory.CreateDirectory(Staging);
        Directory.CreateDirectory(Target);
        Directory.CreateDirectory(Outside);
        var socket = Path.Combine(_directory.FullName, "csi.sock");
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().SetMinimumLevel(LogLevel.Debug).AddProvider(Log);
        builder.WebHost.ConfigureKestrel(
            kestrel => kestrel.ListenUnixSocket(socket, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddSingleton(Cluster.GrainFactory);
        if (Role.HasFlag(CsiRole.Node))
        {
            builder.Services.AddSingleton<INodeVolumes>(NodeVolumes);
        }

        if (Readiness is not null)
        {
            builder.Services.AddSingleton(Readiness);
        }

        builder.Services.AddCarinaCsi(new CsiOptions
        {
            NodeName = Role.HasFlag(CsiRole.Node) ? NodeName : "",
            AllowedPathRoots = [Root],
            MaxVolumesPerNode = MaxVolumesPerNode,
            VolumeWait = VolumeWait,
        });
        _app = builder.Build();
        _app.MapCarinaCsi(Role);
        await _app.StartAsync();
        _channel = GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler
            {
                ConnectCallback = async (_, token) =>
                {
                    var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                    await client.ConnectAsync(new UnixDomainSocketEndPoint(socket), token);
                    return new NetworkStream(client, ownsSocket: true);
                },
            },
        });
    }

    public async ValueTask DisposeAsync()
    {
        _channel?.Dispose();
        if (_app is not null)
        {
            await _app.DisposeAsync();
        }

        _directory.Delete(recursive: true);
        Log.Dispose();
    }

    /// <summary>A host of its own, for tests that change settings.</summary>
    internal static async Task<CsiTestHost> StartAsync(CsiTestHost host)
    {
        await host.InitializeAsync();
        return host;
    }

    /// <summary>Demands that a call is refused with a code and a message that holds some words.</summary>
    internal static async Task<string> AssertRefusedAsync<T>(
        AsyncUnaryCall<T> call, StatusCode code, params string[] words)
    {
        using (call)
        {
            var error = await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync.WaitAsync(TimeSpan.FromSeconds(60)));
            Assert.Equal((code, error.Status.Detail), (error.StatusCode, error.Status.Detail));
            Assert.False(string.IsNullOrWhiteSpace(error.Status.Detail), "The message is empty.");
            Assert.All(words, word => Assert.Contains(word, error.Status.Detail, StringComparison.Ordinal));
            Assert.True(error.Status.Detail.Length <= 1024, "The message is too long.");
            return error.Status.Detail;
        }
    }
}
