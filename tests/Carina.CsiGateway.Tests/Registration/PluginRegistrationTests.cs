using System.Diagnostics;
using System.Net.Sockets;
using Carina.CsiGateway.Registration;
using Carina.CsiGateway.Tests.Transport;
using Carina.CsiGateway.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Carina.CsiGateway.Tests.Registration;

/// <summary>The registration as a kubelet sees it: a socket that comes and goes, and what is said over it.</summary>
public sealed class PluginRegistrationTests
{
    [Fact]
    public async Task The_kubelet_learns_who_the_driver_is_and_where()
    {
        await using var driver = new DriverHost();
        await driver.StartAsync();
        await driver.OfferedAsync();

        var clock = Stopwatch.StartNew();
        var info = await driver.GetInfoAsync();
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(1), $"the kubelet waits one second, this took {clock.Elapsed}");
        TestContext.Current.SendDiagnosticMessage("first GetInfo: {0} ms", clock.Elapsed.TotalMilliseconds);
        Assert.Equal("CSIPlugin", info.Type);
        Assert.Equal("carina.storage.io", info.Name);
        Assert.Equal("/host/csi.sock", info.Endpoint);
        Assert.Equal(["1.0.0"], info.SupportedVersions);

        await driver.NotifyAsync(registered: true);
        await DriverHost.UntilAsync(() => driver.Status.State == PluginRegistrationState.Registered, "the registration");
        Assert.Null(driver.Status.Obstacle);
    }

    [Fact]
    public async Task The_socket_does_not_appear_before_the_driver_answers()
    {
        await using var driver = new DriverHost { Ready = false };
        await driver.StartAsync();
        await DriverHost.UntilAsync(() => driver.Status.Obstacle is not null, "the first look");
        Assert.StartsWith("Unavailable", driver.Status.Obstacle, StringComparison.Ordinal);
        driver.Time.Advance(TimeSpan.FromSeconds(5));
        await Task.Delay(100, TestContext.Current.CancellationToken);
        Assert.False(File.Exists(driver.Socket));
        Assert.Equal(PluginRegistrationState.Waiting, driver.Status.State);

        driver.Ready = true;
        await DriverHost.UntilAsync(
            () =>
            {
                driver.Time.Advance(TimeSpan.FromMilliseconds(250));
                return File.Exists(driver.Socket);
            },
            "the offer");
    }

    [Fact]
    public async Task A_refusal_withdraws_the_socket_and_offers_it_again_after_growing_pauses()
    {
        await using var driver = new DriverHost();
        await driver.StartAsync();
        await driver.OfferedAsync();
        foreach (var seconds in new[] { 1, 2, 4, 8, 16, 32, 60, 60 })
        {
            await driver.NotifyAsync(registered: false, "node is not ready");
            await driver.WithdrawnAsync();
            Assert.Equal(PluginRegistrationState.Failed, driver.Status.State);
            Assert.Equal("node is not ready", driver.Status.Obstacle);
            await driver.OfferedAgainAfterAsync(TimeSpan.FromSeconds(seconds));
        }

        Assert.Contains(driver.Log.Of(LogLevel.Error), line => line.Contains("node is not ready", StringComparison.Ordinal));

        // A success is a new beginning.
        await driver.NotifyAsync(registered: true);
        await DriverHost.UntilAsync(() => driver.Status.State == PluginRegistrationState.Registered, "the registration");
        await driver.NotifyAsync(registered: false, "again");
        await driver.OfferedAgainAfterAsync(TimeSpan.FromSeconds(1));
        Assert.Equal("carina.storage.io", (await driver.GetInfoAsync()).Name);
    }

    [Fact]
    public async Task A_socket_that_someone_removes_comes_back()
    {
        await using var driver = new DriverHost();
        await driver.StartAsync();
        await driver.OfferedAsync();
        File.Delete(driver.Socket);
        driver.Time.Advance(TimeSpan.FromSeconds(10));
        await driver.OfferedAgainAfterAsync(TimeSpan.FromSeconds(1));
        Assert.Equal("carina.storage.io", (await driver.GetInfoAsync()).Name);
    }

    [Fact]
    public async Task Another_registrar_on_the_path_is_not_disturbed_and_waited_for()
    {
        await using var driver = new DriverHost();
        Directory.CreateDirectory(Path.GetDirectoryName(driver.Socket)!);
        var other = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        other.Bind(new CsiSocketEndPoint(driver.Socket));
        other.Listen();
        await driver.StartAsync();
        await DriverHost.UntilAsync(() => driver.Status.State == PluginRegistrationState.Failed, "the failure");
        Assert.Contains("another process listens", driver.Status.Obstacle!, StringComparison.Ordinal);
        Assert.True(File.Exists(driver.Socket));

        // It dies and leaves its socket.
        other.Dispose();
        await DriverHost.UntilAsync(
            () =>
            {
                driver.Time.Advance(TimeSpan.FromSeconds(1));
                return driver.Status.State == PluginRegistrationState.Offered;
            },
            "the offer");
        Assert.Equal("carina.storage.io", (await driver.GetInfoAsync()).Name);
    }

    [Fact]
    public async Task The_socket_goes_before_anything_else_stops()
    {
        var order = new Order();
        await using var driver = new DriverHost(services => services.AddSingleton<IHostedService>(order));
        order.Look = () => (File.Exists(driver.Socket), File.Exists(driver.CsiSocket));
        await driver.StartAsync();
        await driver.OfferedAsync();
        await using var kubelet = await KubeletClient.ConnectAsync(driver.Socket);
        await driver.StopAsync();
        Assert.Equal((false, true), order.Seen);
        Assert.Equal(PluginRegistrationState.Stopped, driver.Status.State);
        Assert.False(File.Exists(driver.CsiSocket));
    }

    [Fact]
    public async Task A_host_that_is_disposed_without_a_stop_leaves_no_socket()
    {
        string socket;
        await using (var driver = new DriverHost())
        {
            socket = driver.Socket;
            await driver.StartAsync();
            await driver.OfferedAsync();
            await driver.DisposeAppAsync();
            Assert.False(File.Exists(socket));
        }
    }

    [Theory]
    [InlineData("/registry/.hidden.sock", "/host/csi.sock", "dot")]
    [InlineData("registry/reg.sock", "/host/csi.sock", "absolute path")]
    [InlineData("/registry/reg.sock", "csi.sock", "absolute path")]
    public void Options_that_cannot_work_are_refused(string socket, string endpoint, string why)
    {
        var services = new ServiceCollection().AddLogging().AddPluginRegistration(options =>
        {
            options.Socket = socket;
            options.Endpoint = endpoint;
        });
        using var provider = services.BuildServiceProvider();
        var refused = Assert.Throws<OptionsValidationException>(
            () => provider.GetRequiredService<IOptions<PluginRegistrationOptions>>().Value);
        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
    }

    /// <summary>Looks at the sockets when the registrar, which comes before it in this direction, has had its turn.</summary>
    private sealed class Order : IHostedLifecycleService
    {
        public Func<(bool, bool)> Look { get; set; } = () => default;

        public (bool Registration, bool Csi) Seen { get; private set; }

        public Task StoppingAsync(CancellationToken cancellationToken)
        {
            Seen = Look();
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
