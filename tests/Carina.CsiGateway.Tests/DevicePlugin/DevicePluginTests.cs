using Carina.CsiGateway.DevicePlugin;
using Carina.CsiGateway.DevicePlugin.Protocol;
using Carina.CsiGateway.Tests.Hosting;
using Carina.CsiGateway.Tests.Transport;
using Carina.Grains.Configuration;
using Carina.Grains.Errors;
using Carina.Grains.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Carina.CsiGateway.Tests.DevicePlugin;

/// <summary>What a kubelet counts of a node's groups, seen from the kubelet's side of the sockets.</summary>
public sealed class DevicePluginTests : IAsyncLifetime
{
    private const long GiB = 1L << 30;
    private const string Ssd = "carina.storage.io/carina-vg-ssd";
    private const string Hdd = "carina.storage.io/carina-vg-hdd";

    private readonly TestDirectory _directory = new();
    private readonly MemoryCluster _cluster = new(CsiTestHost.NodeName);
    private IHost? _driver;
    private FakeKubelet _kubelet = null!;

    public async ValueTask InitializeAsync()
    {
        _kubelet = await FakeKubelet.StartAsync(_directory.Path);
        Show(Pool("carina-vg-ssd", 198, 188), Pool("carina-vg-hdd", 0, 0) with { Problem = "no blank disk" });
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton(_cluster.GrainFactory);
        builder.Services.AddDevicePlugins(options =>
        {
            options.Directory = _directory.Path;
            options.NodeName = CsiTestHost.NodeName;
            options.Interval = TimeSpan.FromMilliseconds(50);
        });
        _driver = builder.Build();
        await _driver.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await StopDriverAsync();
        await _kubelet.DisposeAsync();
        _directory.Dispose();
    }

    [Fact]
    public async Task The_node_shows_what_its_groups_have_and_what_is_left_and_zero_for_a_group_without_disks()
    {
        await _kubelet.UntilAsync(Ssd, 198, 188);
        await _kubelet.UntilAsync(Hdd, 0, 0);
        Assert.Equal(["v1beta1"], _kubelet.Registered.Select(r => r.Version).Distinct());

        Show(Pool("carina-vg-ssd", 198, 150), Pool("carina-vg-hdd", 20, 10));
        await _kubelet.UntilAsync(Ssd, 198, 150);
        await _kubelet.UntilAsync(Hdd, 20, 10);
        Assert.Equal(2, _kubelet.Registered.Count);
    }

    [Fact]
    public async Task A_kubelet_that_starts_anew_is_told_again()
    {
        await _kubelet.UntilAsync(Ssd, 198, 188);
        await _kubelet.DisposeAsync();
        _kubelet = await FakeKubelet.StartAsync(_directory.Path);
        await _kubelet.UntilAsync(Ssd, 198, 188);
        await _kubelet.UntilAsync(Hdd, 0, 0);
    }

    [Fact]
    public async Task A_group_that_leaves_the_configuration_and_a_driver_that_stops_leave_no_socket()
    {
        await _kubelet.UntilAsync(Ssd, 198, 188);
        Assert.True(File.Exists(_directory.File("carina-carina-vg-ssd.sock")));
        Show(Pool("carina-vg-hdd", 20, 10));
        await _kubelet.UntilAsync(Ssd, 198, 0);
        Assert.False(File.Exists(_directory.File("carina-carina-vg-ssd.sock")));
        await _kubelet.UntilAsync(Hdd, 20, 10);
        await StopDriverAsync();
        Assert.Equal(["kubelet.sock"], Directory.EnumerateFiles(_directory.Path).Select(Path.GetFileName));
    }

    [Fact]
    public async Task A_ledger_that_does_not_answer_changes_nothing()
    {
        await _kubelet.UntilAsync(Ssd, 198, 188);
        _cluster.Disturb = _ => throw new StorageException(StorageErrorCode.Unavailable, "The ledger is moving.");
        await Task.Delay(200, TestContext.Current.CancellationToken);
        Assert.Equal((198, 188), _kubelet.Node[Ssd]);
        _cluster.Disturb = null;
        Show(Pool("carina-vg-ssd", 198, 1));
        await _kubelet.UntilAsync(Ssd, 198, 1);
    }

    [Fact]
    public async Task A_container_that_asks_for_the_resource_gets_an_answer_and_nothing_else()
    {
        await _kubelet.UntilAsync(Ssd, 198, 188);
        using var channel = _kubelet.Dial("carina-carina-vg-ssd.sock");
        var answer = await new Carina.CsiGateway.DevicePlugin.Protocol.DevicePlugin.DevicePluginClient(channel).AllocateAsync(
            new() { ContainerRequests = { new ContainerAllocateRequest { DevicesIDs = { "1", "2" } }, new ContainerAllocateRequest() } });
        Assert.Equal(2, answer.ContainerResponses.Count);
    }

    [Fact]
    public async Task A_huge_group_still_fits_the_kubelets_messages()
    {
        Show(Pool("carina-vg-ssd", 1 << 20, 1 << 19));
        await _kubelet.UntilAsync(Ssd, GroupDevices.Most, GroupDevices.Most);
    }

    private void Show(params PoolCapacity[] pools) =>
        _cluster.NodeCapacity = new(CsiTestHost.NodeName, pools, new Dictionary<string, string>());

    private static PoolCapacity Pool(string name, long size, long available) => new()
    {
        Name = name,
        Policy = PoolPolicy.Lvm,
        SizeBytes = (size * GiB) + (GiB / 2),
        AvailableBytes = available * GiB,
        AllocatedBytes = 0,
        GranularityBytes = 4 << 20,
        Volumes = 0,
    };

    private async Task StopDriverAsync()
    {
        if (_driver is { } driver)
        {
            _driver = null;
            await driver.StopAsync();
            driver.Dispose();
        }
    }
}
