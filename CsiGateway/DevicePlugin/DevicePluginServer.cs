using System.Net.Sockets;
using Carina.CsiGateway.DevicePlugin.Protocol;
using Carina.CsiGateway.Transport.Sockets;
using Grpc.Net.Client;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Carina.CsiGateway.DevicePlugin;

/// <summary>One group's socket in the kubelet's directory: the protocol has one socket for each resource.</summary>
internal sealed class DevicePluginServer : IAsyncDisposable
{
    private const string ProtocolVersion = "v1beta1";
    private static readonly TimeSpan _registerTimeout = TimeSpan.FromSeconds(5);

    private readonly SocketServer _server;
    private readonly TimeProvider _time;

    private DevicePluginServer(SocketServer server, string resource, GroupDevices devices, TimeProvider time) =>
        (_server, Resource, Devices, _time) = (server, resource, devices, time);

    public string Path => _server.Path;

    /// <summary>Name of the resource, such as <c>carina.storage.io/carina-vg-ssd</c>.</summary>
    public string Resource { get; }

    public GroupDevices Devices { get; }

    /// <summary>The kubelet's socket that it was last registered with; null before.</summary>
    public FileIdentity? RegisteredWith { get; private set; }

    /// <exception cref="Carina.Grains.Errors.StorageException">The path is too long, or taken.</exception>
    public static async Task<DevicePluginServer> StartAsync(
        string path, string resource, GroupDevices devices, TimeProvider time, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var server = await SocketServer.StartAsync<DevicePluginService>(
            path,
            time,
            loggers,
            services => services.AddSingleton(devices).AddSingleton<DevicePluginService>(),
            cancellationToken).ConfigureAwait(false);
        return new DevicePluginServer(server, resource, devices, time);
    }

    /// <summary>False once the kubelet, which empties its directory when it starts, has removed the socket.</summary>
    public bool IsInPlace() => _server.IsInPlace();

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

    public ValueTask DisposeAsync() => _server.DisposeAsync();
}
