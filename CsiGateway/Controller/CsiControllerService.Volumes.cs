using Carina.CsiGateway.Validation;
using Carina.Grains.Volumes;
using Csi.V1;
using Grpc.Core;

namespace Carina.CsiGateway.Controller;

/// <content>Making, growing, changing and removing volumes.</content>
internal sealed partial class CsiControllerService
{
    public override async Task<CreateVolumeResponse> CreateVolume(CreateVolumeRequest request, ServerCallContext context)
    {
        TextRules.CheckName(request.Name);
        var volumeId = VolumeIds.FromName(request.Name);
        var access = CapabilityRules.ReadAll("volume_capabilities", request.VolumeCapabilities);
        if (request.VolumeContentSource is not null)
        {
            throw Refusal.Invalid(
                "volume_content_source", "is set, but this release cannot fill volumes from snapshots or other volumes.");
        }

        var fileSystem = access.Access is VolumeAccess.Block ? "" : Or(access.FileSystem, FileSystems.Default);
        var size = CapacityRules.ReadNew(request.CapacityRange, fileSystem);
        var topology = request.AccessibilityRequirements ?? new();
        var record = await VolumeOf(volumeId).CreateAsync(
            new CreateVolume
            {
                Name = request.Name,
                RequiredBytes = size.RequiredBytes,
                LimitBytes = size.LimitBytes,
                Access = access.Access,
                FileSystem = fileSystem,
                Pool = ParameterRules.ReadPool(request.Parameters),
                Parameters = new(request.Parameters),
                MutableParameters = MutableParameterRules.Read(request.MutableParameters),
                Requisite = TopologyRules.Read("accessibility_requirements.requisite", topology.Requisite),
                Preferred = TopologyRules.Read("accessibility_requirements.preferred", topology.Preferred),
            },
            context.CancellationToken);
        return new() { Volume = VolumeTranslation.ToVolume(record) };
    }

    public override async Task<DeleteVolumeResponse> DeleteVolume(DeleteVolumeRequest request, ServerCallContext context)
    {
        TextRules.CheckVolumeId(request.VolumeId);
        if (VolumeIds.IsWellFormed(request.VolumeId))
        {
            await VolumeOf(request.VolumeId).DeleteAsync(context.CancellationToken);
        }

        return new();
    }

    public override async Task<ControllerExpandVolumeResponse> ControllerExpandVolume(
        ControllerExpandVolumeRequest request, ServerCallContext context)
    {
        TextRules.CheckVolumeId(request.VolumeId);
        var size = CapacityRules.ReadExpansion(request.CapacityRange);
        var access = request.VolumeCapability is { } capability
            ? CapabilityRules.Read("volume_capability", capability)
            : null;
        TextRules.RequireWellFormed(request.VolumeId);
        if (access is not null)
        {
            RequireMatch(access, await FindAsync(request.VolumeId, context.CancellationToken));
        }

        var record = await VolumeOf(request.VolumeId)
            .ExpandAsync(size.RequiredBytes, size.LimitBytes, context.CancellationToken);

        // The device has grown; what is on it, or attached to it, grows where it is mounted.
        return new() { CapacityBytes = record.Bytes, NodeExpansionRequired = true };
    }

    public override async Task<ControllerModifyVolumeResponse> ControllerModifyVolume(
        ControllerModifyVolumeRequest request, ServerCallContext context)
    {
        TextRules.CheckVolumeId(request.VolumeId);
        var parameters = MutableParameterRules.Read(request.MutableParameters);
        TextRules.RequireWellFormed(request.VolumeId);
        await VolumeOf(request.VolumeId).ModifyAsync(parameters, context.CancellationToken);
        return new();
    }

    private static void RequireMatch(RequestedAccess access, VolumeRecord record)
    {
        if (CapabilityRules.FindMismatch(access, record) is { } mismatch)
        {
            throw Refusal.Invalid("volume_capability", mismatch);
        }
    }

    private static string Or(string value, string fallback) => value.Length > 0 ? value : fallback;
}
