using System.Reflection;
using Carina.Grains;
using Csi.V1;
using Grpc.Core;
using Expansion = Csi.V1.PluginCapability.Types.VolumeExpansion.Types.Type;
using Service = Csi.V1.PluginCapability.Types.Service.Types.Type;

namespace Carina.CsiGateway.Identity;

/// <summary>Who we are and what the driver as a whole can do.</summary>
internal sealed class CsiIdentityService(IReadiness readiness) : Csi.V1.Identity.IdentityBase
{
    private static readonly string _version = ReadVersion();

    public override Task<GetPluginInfoResponse> GetPluginInfo(GetPluginInfoRequest request, ServerCallContext context) =>
        Task.FromResult(new GetPluginInfoResponse { Name = CarinaNames.Driver, VendorVersion = _version });

    public override Task<GetPluginCapabilitiesResponse> GetPluginCapabilities(
        GetPluginCapabilitiesRequest request, ServerCallContext context) =>
        Task.FromResult(new GetPluginCapabilitiesResponse
        {
            Capabilities =
            {
                new PluginCapability { Service = new() { Type = Service.ControllerService } },
                new PluginCapability { Service = new() { Type = Service.VolumeAccessibilityConstraints } },
                new PluginCapability { VolumeExpansion = new() { Type = Expansion.Online } },
            },
        });

    public override async Task<ProbeResponse> Probe(ProbeRequest request, ServerCallContext context) =>
        new() { Ready = await readiness.IsReadyAsync(context.CancellationToken) };

    // Without the commit that the SDK appends.
    private static string ReadVersion() =>
        typeof(CsiIdentityService).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!
            .InformationalVersion.Split('+')[0];
}
