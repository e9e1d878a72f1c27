using System.Threading.Channels;
using Carina.CsiGateway.Registration.Protocol;
using Carina.CsiGateway.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Carina.CsiGateway.Registration;

/// <summary>One life of the registration socket: it is there from <see cref="StartAsync"/> until disposal.</summary>
internal sealed class RegistrationServer : IAsyncDisposable
{
    private readonly SocketServer _server;

    private RegistrationServer(SocketServer server, ChannelReader<RegistrationStatus> verdicts) =>
        (_server, Verdicts) = (server, verdicts);

    /// <summary>What the kubelet says, in order.</summary>
    public ChannelReader<RegistrationStatus> Verdicts { get; }

    /// <exception cref="Carina.Grains.Errors.StorageException">FailedPrecondition: the path is taken.</exception>
    public static async Task<RegistrationServer> StartAsync(
        PluginRegistrationOptions options, TimeProvider time, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        // Only the newest verdict counts.
        var verdicts = Channel.CreateBounded<RegistrationStatus>(
            new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });
        var server = await SocketServer.StartAsync<RegistrationService>(
            options.Socket,
            time,
            loggers,
            services => services.AddSingleton(new RegistrationService(options, verdicts.Writer)),
            cancellationToken).ConfigureAwait(false);
        return new RegistrationServer(server, verdicts.Reader);
    }

    /// <inheritdoc cref="SocketServer.IsInPlace"/>
    public bool IsInPlace() => _server.IsInPlace();

    public ValueTask DisposeAsync() => _server.DisposeAsync();
}
