using System.Net.Sockets;
using System.Runtime.Versioning;
using Carina.CsiGateway.Transport.Sockets;
using Carina.Grains.Errors;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Carina.CsiGateway.Tests.Transport;

/// <summary>The socket file: who may use it, who is there before us, what is left after us.</summary>
[SupportedOSPlatform("linux")]
public sealed class CsiSocketTests : IDisposable
{
    private readonly TestDirectory _directory = new();

    private string SocketPath => _directory.File("plugins/carina.storage.io/csi.sock");

    public void Dispose() => _directory.Dispose();

    private static WebApplicationBuilder QuietBuilder()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        return builder;
    }

    private static async Task<WebApplication> StartAsync(string path)
    {
        var builder = QuietBuilder();
        builder.WebHost.ListenCsiSocket(path);
        var app = builder.Build();
        try
        {
            app.MapPost("/", () => "here");
            await app.StartAsync(TestContext.Current.CancellationToken);
            return app;
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    private async Task<StorageException> RefusedAsync()
    {
        var refused = await Assert.ThrowsAsync<StorageException>(() => StartAsync(SocketPath));
        Assert.Equal(StorageErrorCode.FailedPrecondition, refused.Code);
        return refused;
    }

    private static async Task<bool> AnswersAsync(string path)
    {
        await using var client = await KubeletClient.ConnectAsync(path);
        return await client.ReadAsync() is { Type: Frame.Settings };
    }

    private static Socket BindAnother(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new CsiSocketEndPoint(path));
        return socket;
    }

    [Fact]
    public async Task Only_the_owner_may_connect_and_nothing_is_left_at_the_end()
    {
        await using (var app = await StartAsync(SocketPath))
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(SocketPath));
            Assert.Equal(
                UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute,
                File.GetUnixFileMode(Path.GetDirectoryName(SocketPath)!));
            Assert.True(await AnswersAsync(SocketPath));
            await app.StopAsync(TestContext.Current.CancellationToken);
            Assert.False(File.Exists(SocketPath));
        }

        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(SocketPath)!));
    }

    [Fact]
    public async Task A_server_that_is_disposed_without_a_stop_leaves_nothing_either()
    {
        var app = await StartAsync(SocketPath);
        await app.DisposeAsync();
        Assert.False(File.Exists(SocketPath));
    }

    [Fact]
    public async Task A_socket_that_a_dead_process_left_is_replaced()
    {
        BindAnother(SocketPath).Dispose();
        Assert.True(File.Exists(SocketPath));
        await using var app = await StartAsync(SocketPath);
        Assert.True(await AnswersAsync(SocketPath));
    }

    [Fact]
    public async Task A_socket_on_which_another_listens_is_left_alone()
    {
        await using (await StartAsync(SocketPath))
        {
            var refused = await RefusedAsync();
            Assert.Contains("another process listens on it", refused.Message, StringComparison.Ordinal);
            Assert.True(await AnswersAsync(SocketPath));
        }
    }

    [Fact]
    public async Task A_listener_that_takes_no_more_connections_is_left_alone()
    {
        using var busy = BindAnother(SocketPath);
        busy.Listen(0);
        using var waiting = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        waiting.Connect(new UnixDomainSocketEndPoint(SocketPath));
        await RefusedAsync();
        Assert.True(File.Exists(SocketPath));
    }

    [Fact]
    public async Task What_is_no_socket_is_left_alone()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(SocketPath)!);
        await File.WriteAllTextAsync(SocketPath, "mine", TestContext.Current.CancellationToken);
        var refused = await RefusedAsync();
        Assert.Contains("no socket", refused.Message, StringComparison.Ordinal);
        Assert.Equal("mine", await File.ReadAllTextAsync(SocketPath, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_link_is_left_alone_even_if_it_leads_to_a_dead_socket()
    {
        var target = _directory.File("elsewhere.sock");
        BindAnother(target).Dispose();
        Directory.CreateDirectory(Path.GetDirectoryName(SocketPath)!);
        File.CreateSymbolicLink(SocketPath, target);
        await RefusedAsync();
        Assert.True(File.Exists(target));
        Assert.NotNull(new FileInfo(SocketPath).LinkTarget);
    }

    [Fact]
    public async Task A_socket_that_another_put_in_our_place_stays_when_we_stop()
    {
        await using var app = await StartAsync(SocketPath);
        File.Delete(SocketPath);
        using var other = BindAnother(SocketPath);
        other.Listen();
        await app.StopAsync(TestContext.Current.CancellationToken);
        Assert.True(File.Exists(SocketPath));
        await app.DisposeAsync();
        Assert.True(File.Exists(SocketPath));
    }

    [Fact]
    public async Task A_socket_of_another_kind_is_left_alone()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(SocketPath)!);
        using var datagrams = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        datagrams.Bind(new CsiSocketEndPoint(SocketPath));
        var refused = await RefusedAsync();
        Assert.Contains("cannot tell", refused.Message, StringComparison.Ordinal);
        Assert.True(File.Exists(SocketPath));
    }

    /// <summary>The kubelet dials in the moment it sees the file, and waits a second if it is refused.</summary>
    [Fact]
    public async Task Whoever_sees_the_file_may_connect()
    {
        var file = await SocketFile.BindAsync(
            new CsiSocketEndPoint(SocketPath), TimeProvider.System, NullLogger.Instance, TestContext.Current.CancellationToken);
        using var listener = file.Socket;
        using var kubelet = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await kubelet.ConnectAsync(new UnixDomainSocketEndPoint(SocketPath), TestContext.Current.CancellationToken);
        file.Remove();
        Assert.False(File.Exists(SocketPath));
    }

    [Theory]
    [InlineData("csi.sock")]
    [InlineData("/csi/")]
    [InlineData("")]
    [InlineData("/a-directory-with-a-long-name/a-directory-with-a-long-name/a-directory-with-a-long-name/a-directory-with-a-long-name/csi.sock")]
    public void A_path_that_cannot_be_a_socket_is_refused_at_once(string path)
    {
        var refused = Assert.Throws<StorageException>(() => WebApplication.CreateSlimBuilder().WebHost.ListenCsiSocket(path));
        Assert.Equal(StorageErrorCode.InvalidArgument, refused.Code);
    }

    [Fact]
    public async Task Other_endpoints_and_a_second_socket_go_on_beside_it()
    {
        var second = _directory.File("second.sock");
        var builder = QuietBuilder();
        builder.WebHost.ListenCsiSocket(SocketPath).ListenCsiSocket(second).ConfigureKestrel(kestrel => kestrel.ListenLocalhost(FreePort()));
        await using var app = builder.Build();
        app.MapGet("/", (HttpContext context) => context.Request.Protocol);
        await app.StartAsync(TestContext.Current.CancellationToken);
        Assert.True(await AnswersAsync(SocketPath));
        Assert.True(await AnswersAsync(second));
        using var http = new HttpClient();
        Assert.Equal("HTTP/1.1", await http.GetStringAsync(
            app.Urls.Single(url => url.Contains("localhost:", StringComparison.Ordinal)), TestContext.Current.CancellationToken));
    }

    /// <summary>
    /// Kestrel's 130 s would end the sidecars' connections, and with them the sidecars. Its clock ticks once a second.
    /// </summary>
    [Fact]
    public async Task Idle_connections_are_kept()
    {
        await using var app = await StartAsync(SocketPath);
        var limits = app.Services.GetRequiredService<IOptions<KestrelServerOptions>>().Value.Limits;
        Assert.True(limits.KeepAliveTimeout > TimeSpan.FromDays(365), limits.KeepAliveTimeout.ToString());

        await using var client = await KubeletClient.ConnectAsync(SocketPath);
        Assert.Equal("200", (await client.CallAsync(1, "/", SocketPath)).Headers[":status"]);
        await Task.Delay(TimeSpan.FromSeconds(3), TestContext.Current.CancellationToken);
        Assert.Equal("200", (await client.CallAsync(3, "/", SocketPath)).Headers[":status"]);
    }

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0));
        return ((System.Net.IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
