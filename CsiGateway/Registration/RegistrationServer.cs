using System.Threading.Channels;
using Carina.CsiGateway.Registration.Protocol;
using Carina.CsiGateway.Transport.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Carina.CsiGateway.Registration;

/// <summary>
/// One life of the registration socket: it is there from <see cref="StartAsync"/> until disposal. A small server of its own,
/// since the socket comes later than the driver's, goes earlier, and may have to come again in between.
/// </summary>
internal sealed class RegistrationServer : IAsyncDisposable
{
    // The kubelet is given this long to take its last answer.
    private static readonly TimeSpan _stopTimeout = TimeSpan.FromSeconds(3);

    private readonly WebApplication _app;
    private readonly string _path;
    private readonly FileIdentity? _identity;
    private readonly TimeProvider _time;

    private RegistrationServer(WebApplication app, string path, ChannelReader<RegistrationStatus> verdicts, TimeProvider time)
    {
        _app = app;
        _path = path;
        _identity = FileIdentity.Of(path);
        _time = time;
        Verdicts = verdicts;
    }

    /// <summary>What the kubelet says, in order.</summary>
    public ChannelReader<RegistrationStatus> Verdicts { get; }

    /// <exception cref="Carina.Grains.Errors.StorageException">FailedPrecondition: the path is taken.</exception>
    public static async Task<RegistrationServer> StartAsync(
        PluginRegistrationOptions options, TimeProvider time, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        // Only the newest verdict counts.
        var verdicts = Channel.CreateBounded<RegistrationStatus>(
            new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ListenCsiSocket(options.Socket);
        builder.Services
            .AddSingleton(loggers)
            .AddSingleton(time)
            .AddSingleton<IHostLifetime, OwnedLifetime>()
            .AddSingleton(new RegistrationService(options, verdicts.Writer))
            .AddRoutingCore()
            .AddGrpc();
        var app = builder.Build();
        try
        {
            app.UseRouting();
            app.MapGrpcService<RegistrationService>();
            await app.StartAsync(cancellationToken).ConfigureAwait(false);
            return new RegistrationServer(app, options.Socket, verdicts.Reader, time);
        }
        catch
        {
            await app.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>False once someone removed the socket or put another in its place.</summary>
    public bool IsInPlace() => _identity is not null && FileIdentity.Of(_path) == _identity;

    public async ValueTask DisposeAsync()
    {
        using var deadline = new CancellationTokenSource(_stopTimeout, _time);
        await _app.StopAsync(deadline.Token).ConfigureAwait(false);
        await _app.DisposeAsync().ConfigureAwait(false);
    }
}
