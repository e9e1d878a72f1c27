using System.Net.Sockets;
using Carina.CsiGateway.DevicePlugin.Protocol;
using Carina.CsiGateway.Transport.Sockets;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Carina.CsiGateway.DevicePlugin;

/// <summary>One group's socket in the kubelet's directory: the protocol has one socket for each resource.</summary>
internal sealed class DevicePluginServer : IAsyncDisposable
{
    private const string ProtocolVersion = "v1beta1";
    private static readonly TimeSpan _registerTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan _stopTimeout = TimeSpan.FromSeconds(3);

    private readonly WebApplication _app;
    private readonly TimeProvider _time;
    private readonly FileIdentity? _identity;

    private DevicePluginServer(WebApplication app, string path, string resource, GroupDevices devices, TimeProvider time)
    {
        (_app, Path, Resource, Devices, _time) = (app, path, resource, devices, time);
        _identity = FileIdentity.Of(path);
    }

    public string Path { get; }

    /// <summary>Name of the resource, such as <c>carina.storage.io/carina-vg-ssd</c>.</summary>
    public string Resource { get; }

    public GroupDevices Devices { get; }

    /// <summary>The kubelet's socket that it was last registered with; null before.</summary>
    public FileIdentity? RegisteredWith { get; private set; }

    /// <exception cref="Carina.Grains.Errors.StorageException">The path is too long, or taken.</exception>
    public static async Task<DevicePluginServer> StartAsync(
        string path, string resource, GroupDevices devices, TimeProvider time, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ListenCsiSocket(path);
        builder.Services
            .AddSingleton(loggers)
            .AddSingleton(time)
            .AddSingleton<IHostLifetime, OwnedLifetime>()
            .AddSingleton(devices)
            .AddSingleton<DevicePluginService>()
            .AddRoutingCore()
            .AddGrpc();
        var app = builder.Build();
        try
        {
            app.UseRouting();
            app.MapGrpcService<DevicePluginService>();
            await app.StartAsync(cancellationToken).ConfigureAwait(false);
            return new DevicePluginServer(app, path, resource, devices, time);
        }
        catch
        {
            await app.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>False once the kubelet, which empties its directory when it starts, has removed the socket.</summary>
    public bool IsInPlace() => _identity is not null && FileIdentity.Of(Path) == _identity;

    /// <summary>Offers the resource to the kubelet that listens at this socket.</summary>
    public async Task RegisterAsync(string kubelet, CancellationToken cancellationToken)
    {
        var identity = FileIdentity.Of(kubelet);
        using var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, stop) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(kubelet), stop).ConfigureAwait(false);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        };
        using var channel = GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions { HttpHandler = handler });
        await new Protocol.Registration.RegistrationClient(channel).RegisterAsync(
            new RegisterRequest
            {
                Version = ProtocolVersion,
                Endpoint = System.IO.Path.GetFileName(Path),
                ResourceName = Resource,
                Options = new Protocol.DevicePluginOptions(),
            },
            deadline: _time.GetUtcNow().UtcDateTime + _registerTimeout,
            cancellationToken: cancellationToken).ConfigureAwait(false);
        RegisteredWith = identity;
    }

    public async ValueTask DisposeAsync()
    {
        using var deadline = new CancellationTokenSource(_stopTimeout, _time);
        await _app.StopAsync(deadline.Token).ConfigureAwait(false);
        await _app.DisposeAsync().ConfigureAwait(false);
    }
}
