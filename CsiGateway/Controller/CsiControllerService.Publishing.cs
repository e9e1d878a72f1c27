using Carina.CsiGateway.Validation;
using Carina.Grains.Volumes;
using Csi.V1;
using Grpc.Core;

namespace Carina.CsiGateway.Controller;

/// <content>Which node may use a volume.</content>
internal sealed partial class CsiControllerService
{
    public override async Task<ControllerPublishVolumeResponse> ControllerPublishVolume(
        ControllerPublishVolumeRequest request, ServerCallContext context)
    {
        TextRules.CheckVolumeId(request.VolumeId);
        TextRules.CheckNodeId(request.NodeId);
        var access = CapabilityRules.Read("volume_capability", request.VolumeCapability);
        if (request.Readonly)
        {
            MountFlagRules.CheckReadOnly("volume_capability.mount.mount_flags", access.MountFlags, "readonly is set");
        }

        TextRules.RequireWellFormed(request.VolumeId);
        RequireMatch(access, await FindAsync(request.VolumeId, context.CancellationToken));
        await VolumeOf(request.VolumeId).PublishAsync(
            request.NodeId, request.Readonly || access.ReadOnly, options.MaxVolumesPerNode, context.CancellationToken);
        return new();
    }

    public override async Task<ControllerUnpublishVolumeResponse> ControllerUnpublishVolume(
        ControllerUnpublishVolumeRequest request, ServerCallContext context)
    {
        TextRules.CheckVolumeId(request.VolumeId);
        if (request.NodeId.Length > 0)
        {
            TextRules.CheckNodeId(request.NodeId);
        }

        if (VolumeIds.IsWellFormed(request.VolumeId))
        {
            await VolumeOf(request.VolumeId).UnpublishAsync(request.NodeId, context.CancellationToken);
        }

        return new();
    }

    public override async Task<ValidateVolumeCapabilitiesResponse> ValidateVolumeCapabilities(
        ValidateVolumeCapabilitiesRequest request, ServerCallContext context)
    {
        TextRules.CheckVolumeId(request.VolumeId);
        if (request.VolumeCapabilities.Count == 0)
        {
            throw Refusal.Missing("volume_capabilities");
        }

        var wanted = request.VolumeCapabilities
            .Select((capability, i) => CapabilityRules.ReadForm($"volume_capabilities[{i}]", capability))
            .ToList();
        ParameterRules.ReadPool(request.Parameters);
        MutableParameterRules.Read(request.MutableParameters);
        TextRules.CheckMap("volume_context", request.VolumeContext);
        TextRules.RequireWellFormed(request.VolumeId);
        var record = await FindAsync(request.VolumeId, context.CancellationToken);
        var obstacle = wanted.Select(one => CapabilityRules.FindObstacle(one) ?? CapabilityRules.FindMismatch(one, record))
            .FirstOrDefault(text => text is not null)
            ?? FindDifference("parameters", request.Parameters, record.Parameters)
            ?? FindDifference("mutable_parameters", request.MutableParameters, record.MutableParameters);
        if (obstacle is not null)
        {
            return new() { Message = $"A volume_capability or parameter does not fit: {obstacle}" };
        }

        var confirmed = new ValidateVolumeCapabilitiesResponse.Types.Confirmed
        {
            VolumeCapabilities = { request.VolumeCapabilities },
            Parameters = { request.Parameters },
            MutableParameters = { request.MutableParameters },
        };

        // Attributes of older releases are tolerated everywhere, but only what is still true is confirmed.
        if (FindDifference("volume_context", request.VolumeContext, VolumeTranslation.ToContext(record)) is null)
        {
            confirmed.VolumeContext.Add(request.VolumeContext);
        }

        return new() { Confirmed = confirmed };
    }

    private static string? FindDifference(
        string field, IEnumerable<KeyValuePair<string, string>> asked, Dictionary<string, string> have)
    {
        var differing = asked.Where(one => !have.TryGetValue(one.Key, out var value) || value != one.Value)
            .Select(one => Refusal.Quote(one.Key))
            .FirstOrDefault();
        return differing is null ? null : $"{field} differ from those of the volume in {differing}.";
    }
}
