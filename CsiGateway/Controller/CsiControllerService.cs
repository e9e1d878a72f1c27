using Carina.CsiGateway.Hosting;
using Carina.CsiGateway.Validation;
using Carina.Grains.Placement;
using Carina.Grains.Volumes;
using Csi.V1;
using Grpc.Core;
using Rpc = Csi.V1.ControllerServiceCapability.Types.RPC.Types.Type;

namespace Carina.CsiGateway.Controller;

/// <summary>
/// What sidecars ask of the whole cluster. Requests are checked for form here and decided by grains; nothing is kept.
/// </summary>
internal sealed partial class CsiControllerService(IGrainFactory grains, CsiOptions options)
    : Csi.V1.Controller.ControllerBase
{
    private static readonly Rpc[] _capabilities =
    [
        Rpc.CreateDeleteVolume,
        Rpc.PublishUnpublishVolume,
        Rpc.PublishReadonly,
        Rpc.ListVolumes,
        Rpc.ListVolumesPublishedNodes,
        Rpc.GetCapacity,
        Rpc.ExpandVolume,
        Rpc.GetVolume,
        Rpc.VolumeCondition,
        Rpc.SingleNodeMultiWriter,
        Rpc.ModifyVolume,
    ];

    public override Task<ControllerGetCapabilitiesResponse> ControllerGetCapabilities(
        ControllerGetCapabilitiesRequest request, ServerCallContext context)
    {
        var response = new ControllerGetCapabilitiesResponse();
        response.Capabilities.AddRange(
            _capabilities.Select(rpc => new ControllerServiceCapability { Rpc = new() { Type = rpc } }));
        return Task.FromResult(response);
    }

    public override async Task<GetCapacityResponse> GetCapacity(GetCapacityRequest request, ServerCallContext context)
    {
        var pool = ParameterRules.ReadPool(request.Parameters);
        var segments = TopologyRules.ReadSegments("accessible_topology.segments", request.AccessibleTopology);
        var wanted = request.VolumeCapabilities
            .Select((capability, i) => CapabilityRules.ReadForm($"volume_capabilities[{i}]", capability))
            .ToList();
        if (CapabilityRules.FindContradiction(wanted) is not null
            || wanted.Any(one => CapabilityRules.FindObstacle(one) is not null))
        {
            // No volume could have these capabilities together, so there is room for none.
            return new() { AvailableCapacity = 0, MaximumVolumeSize = 0 };
        }

        var capacity = await grains.GetGrain<IPlacementGrain>(0)
            .GetCapacityAsync(new CapacityQuery(pool, segments), context.CancellationToken);
        var minimum = wanted.Select(one => FileSystems.MinimumBytes(one.FileSystem))
            .Append(capacity.MinimumVolumeBytes)
            .Max();
        if (capacity.MaximumVolumeBytes < minimum)
        {
            // What is left cannot hold one volume: the scheduler must not try, whatever the claim's size.
            return new() { AvailableCapacity = 0, MaximumVolumeSize = 0, MinimumVolumeSize = minimum };
        }

        return new()
        {
            AvailableCapacity = capacity.AvailableBytes,
            MaximumVolumeSize = capacity.MaximumVolumeBytes,
            MinimumVolumeSize = minimum,
        };
    }

    private IVolumeGrain VolumeOf(string volumeId) => grains.GetGrain<IVolumeGrain>(volumeId);

    // A volume that is still being made has not been promised to anybody.
    private async Task<VolumeRecord> FindAsync(string volumeId, CancellationToken cancellationToken) =>
        await VolumeOf(volumeId).GetAsync(cancellationToken) is { State: not VolumeState.Creating } record
            ? record
            : throw Refusal.UnknownVolume(volumeId);
}
