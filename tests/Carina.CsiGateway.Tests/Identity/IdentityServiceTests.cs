using Carina.CsiGateway.Hosting;
using Carina.CsiGateway.Identity;
using Carina.CsiGateway.Tests.Hosting;
using Csi.V1;
using Grpc.Core;
using Service = Csi.V1.PluginCapability.Types.Service.Types.Type;

namespace Carina.CsiGateway.Tests.Identity;

public sealed class IdentityServiceTests(CsiTestHost host) : IClassFixture<CsiTestHost>
{
    [Fact]
    public async Task The_driver_has_its_name_and_the_version_of_the_assembly()
    {
        var info = await host.IdentityClient.GetPluginInfoAsync(new());
        Assert.Equal("carina.storage.io", info.Name);
        Assert.Equal(typeof(CsiOptions).Assembly.GetName().Version!.ToString(3), info.VendorVersion);
    }

    [Fact]
    public async Task It_offers_a_controller_topology_and_online_expansion()
    {
        var all = (await host.IdentityClient.GetPluginCapabilitiesAsync(new())).Capabilities;
        Assert.Equal(
            [Service.ControllerService, Service.VolumeAccessibilityConstraints],
            all.Where(one => one.Service is not null).Select(one => one.Service.Type));
        Assert.Equal(
            PluginCapability.Types.VolumeExpansion.Types.Type.Online,
            Assert.Single(all, one => one.VolumeExpansion is not null).VolumeExpansion.Type);
    }

    [Fact]
    public async Task It_is_ready_once_the_host_has_started() =>
        Assert.True((await host.IdentityClient.ProbeAsync(new())).Ready);

    [Fact]
    public async Task It_is_not_ready_while_its_host_says_so()
    {
        await using var starting = await CsiTestHost.StartAsync(new() { Readiness = new NotYet() });
        Assert.False((await starting.IdentityClient.ProbeAsync(new())).Ready);
    }

    [Theory]
    [InlineData(CsiRole.Controller)]
    [InlineData(CsiRole.Node)]
    public async Task A_process_offers_the_services_of_its_role_only(CsiRole role)
    {
        await using var one = await CsiTestHost.StartAsync(new() { Role = role });
        await one.IdentityClient.ProbeAsync(new());
        if (role is CsiRole.Controller)
        {
            await one.ControllerClient.ControllerGetCapabilitiesAsync(new());
            await CsiTestHost.AssertRefusedAsync(one.NodeClient.NodeGetInfoAsync(new()), StatusCode.Unimplemented);
        }
        else
        {
            await one.NodeClient.NodeGetInfoAsync(new());
            await CsiTestHost.AssertRefusedAsync(
                one.ControllerClient.ControllerGetCapabilitiesAsync(new()), StatusCode.Unimplemented);
        }
    }

    private sealed class NotYet : IReadiness
    {
        public ValueTask<bool> IsReadyAsync(CancellationToken cancellationToken) => ValueTask.FromResult(false);
    }
}
