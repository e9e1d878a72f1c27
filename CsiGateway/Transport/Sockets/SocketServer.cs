using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Carina.CsiGateway.Transport.Sockets;

/// <summary>
/// A small server within the process, with one gRPC service on a socket of its own: for sockets that come later than the
/// driver's, go earlier, and may have to come again in between.
/// </summary>
internal sealed class SocketServer : IAsyncDisposable
{
    // The caller is given this long to take its last answer.
    private static readonly TimeSpan _stopTimeout = TimeSpan.FromSeconds(3);

    private readonly WebApplication _app;
    private readonly TimeProvider _time;
    private readonly FileIdentity? _identity;

    private SocketServer(WebApplication app, string path, TimeProvider time)
    {
        (_app, Path, _time) = (app, path, time);
        _identity = FileIdentity.Of(path);
    }

    public string Path { get; }

    /// <summary>Listens, until disposal.</summary>
    /// <param name="services">What the service needs, and the service itself.</param>
    /// <exception cref="Carina.Grains.Errors.StorageException">The path is too long (InvalidArgument), or taken (FailedPrecondition).</exception>
    public static async Task<SocketServer> StartAsync<TService>(
        string path, TimeProvider time, ILoggerFactory loggers, Action<IServiceCollection> services, CancellationToken cancellationToken)
        where TService : class
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ListenCsiSocket(path);
        builder.Services
            .AddSingleton(loggers)
            .AddSingleton(time)
            .AddSingleton<IHostLifetime, OwnedLifetime>()
            .AddRoutingCore()
            .AddGrpc();
        services(builder.Services);
        var app = builder.Build();
        try
        {
            app.UseRouting();
            app.MapGrpcService<TService>();
            await app.StartAsync(cancellationToken).ConfigureAwait(false);
            return new SocketServer(app, path, time);
        }
        catch
        {
            await app.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>False once someone removed the socket or put another in its place.</summary>
    public bool IsInPlace() => _identity is not null && FileIdentity.Of(Path) == _identity;

    public async ValueTask DisposeAsync()
    {
        using var deadline = new CancellationTokenSource(_stopTimeout, _time);
        await _app.StopAsync(deadline.Token).ConfigureAwait(false);
        await _app.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Signals are the business of the process's own host.</summary>
    private sealed class OwnedLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
