using System.Diagnostics;
using Carina.CsiGateway.Registration;
using Carina.CsiGateway.Registration.Protocol;
using Carina.CsiGateway.Tests.Transport;
using Carina.CsiGateway.Transport.Sockets;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Carina.CsiGateway.Tests.Registration;

/// <summary>A driver's process in small: its socket with the one call that registration asks, and the registration.</summary>
internal sealed class DriverHost : IAsyncDisposable
{
    private readonly TestDirectory _directory = new();
    private readonly WebApplication _app;
    private int _pauses;

    public DriverHost(Action<IServiceCollection>? services = null)
    {
        CsiSocket = _directory.File("plugins/csi.sock");
        Socket = _directory.File("plugins_registry/carina.storage.io-reg.sock");
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().AddProvider(Log);
        builder.WebHost.ListenCsiSocket(CsiSocket);
        builder.Services.AddSingleton<TimeProvider>(Time);
        services?.Invoke(builder.Services);
        builder.Services.AddPluginRegistration(options =>
        {
            options.Socket = Socket;
            options.CsiSocket = CsiSocket;
            options.Endpoint = "/host/csi.sock";
        });
        _app = builder.Build();
        _app.MapPost("/csi.v1.Identity/GetPluginInfo", async context =>
        {
            context.Response.ContentType = "application/grpc";
            context.Response.AppendTrailer("grpc-status", Ready ? "0" : "14");
            await context.Response.Body.WriteAsync(Ready ? new byte[5] : Array.Empty<byte>());
        });
    }

    /// <summary>The registration socket.</summary>
    public string Socket { get; }

    public string CsiSocket { get; }

    public FakeTimeProvider Time { get; } = new();

    public TestLog Log { get; } = new();

    /// <summary>Whether the driver answers.</summary>
    public bool Ready { get; set; } = true;

    public PluginRegistrationStatus Status => _app.Services.GetRequiredService<IPluginRegistration>().Status;

    public Task StartAsync() => _app.StartAsync(TestContext.Current.CancellationToken);

    public Task StopAsync() => _app.StopAsync(TestContext.Current.CancellationToken);

    /// <summary>Waits for what happens without the clock.</summary>
    public static async Task UntilAsync(Func<bool> condition, string what)
    {
        var clock = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20), $"{what} did not happen in 20 s");
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Waits until the registration socket is there.</summary>
    public Task OfferedAsync() => UntilAsync(() => File.Exists(Socket) && Status.State == PluginRegistrationState.Offered, "the offer");

    /// <summary>Waits until it is not.</summary>
    public Task WithdrawnAsync() => UntilAsync(() => !File.Exists(Socket), "the withdrawal");

    /// <summary>Shows that <paramref name="pause"/> passes before the socket is there again, and not much more.</summary>
    public async Task OfferedAgainAfterAsync(TimeSpan pause)
    {
        await WithdrawnAsync();
        await UntilAsync(
            () => Log.Of(LogLevel.Information).Count(line => line.StartsWith("The next attempt", StringComparison.Ordinal)) == _pauses + 1,
            "the pause");
        _pauses++;
        Time.Advance(pause - TimeSpan.FromMilliseconds(1));
        await Task.Delay(100, TestContext.Current.CancellationToken);
        Assert.False(File.Exists(Socket));
        Time.Advance(TimeSpan.FromMilliseconds(1));
        await OfferedAsync();
    }

    /// <summary>What the kubelet does first.</summary>
    public async Task<PluginInfo> GetInfoAsync()
    {
        await using var kubelet = await KubeletClient.ConnectAsync(Socket);
        var answer = await kubelet.CallAsync(1, "/pluginregistration.Registration/GetInfo", Socket);
        Assert.Equal("0", answer.GrpcStatus);
        return PluginInfo.Parser.ParseFrom(answer.Message);
    }

    /// <summary>What the kubelet does at last.</summary>
    public async Task NotifyAsync(bool registered, string error = "")
    {
        await using var kubelet = await KubeletClient.ConnectAsync(Socket);
        var answer = await kubelet.CallAsync(
            1,
            "/pluginregistration.Registration/NotifyRegistrationStatus",
            Socket.Replace("/", "%2F", StringComparison.Ordinal),
            new RegistrationStatus { PluginRegistered = registered, Error = error }.ToByteArray());
        Assert.Equal("0", answer.GrpcStatus);
    }

    /// <summary>Ends the host but keeps its directory.</summary>
    public ValueTask DisposeAppAsync() => _app.DisposeAsync();

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _directory.Dispose();
    }
}
