using System.Net.Sockets;
using Carina.CsiGateway.Transport.Sockets;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Carina.CsiGateway.Tests.Transport;

/// <summary>A Kestrel that serves <see cref="EchoService"/> on a socket in a directory of its own.</summary>
internal sealed class EchoServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly TestDirectory _directory;

    private EchoServer(WebApplication app, TestDirectory directory, string path, TestLog log)
    {
        _app = app;
        _directory = directory;
        Path = path;
        Log = log;
    }

    public string Path { get; }

    public TestLog Log { get; }

    public IServiceProvider Services => _app.Services;

    /// <summary>The server as the driver sets it up, or with a listener of the test's own.</summary>
    public static async Task<EchoServer> StartAsync(
        Action<KestrelServerOptions, string>? listen = null, Action<IServiceCollection>? services = null)
    {
        var directory = new TestDirectory();
        var path = directory.File("csi.sock");
        var log = new TestLog();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().AddProvider(log).SetMinimumLevel(LogLevel.Debug);
        builder.Services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = grpc.MaxSendMessageSize = 8 << 20);
        services?.Invoke(builder.Services);
        if (listen is null)
            builder.WebHost.ListenCsiSocket(path);
        else
            builder.WebHost.ConfigureKestrel(kestrel => listen(kestrel, path));
        var server = new EchoServer(builder.Build(), directory, path, log);
        try
        {
            server._app.MapGrpcService<EchoService>();
            await server._app.StartAsync(TestContext.Current.CancellationToken);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Kestrel as it is without us.</summary>
    public static Task<EchoServer> StartPlainAsync() =>
        StartAsync((kestrel, path) => kestrel.ListenUnixSocket(path, listen => listen.Protocols = HttpProtocols.Http2));

    /// <summary>An ordinary .NET client.</summary>
    public GrpcChannel Channel() => GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions
    {
        MaxReceiveMessageSize = null,
        MaxSendMessageSize = null,
        DisposeHttpClient = true,
        HttpHandler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellationToken) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(Path), cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            },
        },
    });

    public Task StopAsync() => _app.StopAsync(TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _directory.Dispose();
    }
}

/// <summary>A directory that is gone after the test.</summary>
internal sealed class TestDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("carina-").FullName;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

/// <summary>Keeps what is logged.</summary>
internal sealed class TestLog : ILoggerProvider
{
    private readonly System.Collections.Concurrent.ConcurrentQueue<(LogLevel Level, string Text)> _lines = new();

    public IEnumerable<string> Of(LogLevel level) => _lines.Where(line => line.Level == level).Select(line => line.Text);

    public ILogger CreateLogger(string categoryName) => new Logger(this);

    public void Dispose()
    {
    }

    private sealed class Logger(TestLog log) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            log._lines.Enqueue((logLevel, formatter(state, exception)));
    }
}
