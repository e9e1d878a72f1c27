using Carina.CsiGateway.Controller;
using Carina.CsiGateway.Validation;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Csi.V1;
using Grpc.Core;
using Usage = Carina.Grains.Agents.VolumeUsage;

namespace Carina.CsiGateway.Node;

/// <content>Volumes in use: how full they are, and making them larger.</content>
internal sealed partial class CsiNodeService
{
    public override async Task<NodeGetVolumeStatsResponse> NodeGetVolumeStats(
        NodeGetVolumeStatsRequest request, ServerCallContext context)
    {
        TextRules.CheckVolumeId(request.VolumeId);
        if (request.VolumePath.Length == 0)
        {
            throw Refusal.Missing("volume_path");
        }

        TextRules.RequireWellFormed(request.VolumeId);
        var path = paths.TryRead(request.VolumePath) ?? throw NotHere(request);

        // Asked by kubelet for every volume every minute, and harmless: from the grain's memory, not from the store.
        var record = await grains.GetGrain<IVolumeGrain>(request.VolumeId).GetAsync(context.CancellationToken)
            ?? throw Refusal.UnknownVolume(request.VolumeId);
        if (record.NodeName != options.NodeName)
        {
            throw NotHere(request);
        }

        var usage = await volumes.GetUsageAsync(KeyOf(record), path, context.CancellationToken);
        var response = new NodeGetVolumeStatsResponse
        {
            VolumeCondition = VolumeTranslation.ToCondition(usage.Problem),
            Usage = { Bytes(usage) },
        };
        if (usage.TotalInodes >= 0)
        {
            response.Usage.Add(Inodes(usage));
        }

        return response;
    }

    public override async Task<NodeExpandVolumeResponse> NodeExpandVolume(
        NodeExpandVolumeRequest request, ServerCallContext context)
    {
        TextRules.CheckVolumeId(request.VolumeId);
        if (request.VolumePath.Length == 0)
        {
            throw Refusal.Missing("volume_path");
        }

        TextRules.RequireWellFormed(request.VolumeId);
        var path = paths.Read("volume_path", request.VolumePath);
        if (request.StagingTargetPath.Length > 0)
        {
            paths.Read(StagingPath, request.StagingTargetPath);
        }

        var size = CapacityRules.ReadForm(request.CapacityRange);
        var access = request.VolumeCapability is { } capability
            ? CapabilityRules.Read("volume_capability", capability)
            : null;
        using var pass = await gate.EnterAsync(request.VolumeId, nameof(NodeExpandVolume), context.CancellationToken);
        var record = await AuthorizeAsync(request.VolumeId, context.CancellationToken);
        if (access is not null && CapabilityRules.FindMismatch(access, record) is { } mismatch)
        {
            throw Refusal.Invalid("volume_capability", mismatch);
        }

        if (size.RequiredBytes > record.Bytes)
        {
            throw Refusal.OutOfRange(
                "capacity_range.required_bytes",
                $"is {size.RequiredBytes}, but volume {record.VolumeId} has {record.Bytes} bytes; "
                + "expand it with ControllerExpandVolume first.");
        }

        return new() { CapacityBytes = await volumes.ExpandAsync(KeyOf(record), path, context.CancellationToken) };
    }

    private static StorageException NotHere(NodeGetVolumeStatsRequest request) => new(
        StorageErrorCode.NotFound,
        $"Volume {request.VolumeId} is not at volume_path {Refusal.Quote(request.VolumePath)} of this node.");

    // What does not apply (a block device has no free space) stays 0, which the protocol reads as "not given".
    private static VolumeUsage Bytes(Usage usage) => new()
    {
        Unit = VolumeUsage.Types.Unit.Bytes,
        Total = usage.TotalBytes,
        Used = Math.Max(usage.UsedBytes, 0),
        Available = Math.Max(usage.AvailableBytes, 0),
    };

    private static VolumeUsage Inodes(Usage usage) => new()
    {
        Unit = VolumeUsage.Types.Unit.Inodes,
        Total = usage.TotalInodes,
        Used = Math.Max(usage.UsedInodes, 0),
        Available = Math.Max(usage.AvailableInodes, 0),
    };
}
