using Carina.CsiGateway.Validation;
using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Csi.V1;
using Grpc.Core;

namespace Carina.CsiGateway.Node;

/// <content>Bringing volumes to pods and taking them away.</content>
internal sealed partial class CsiNodeService
{
    public override async Task<NodeStageVolumeResponse> NodeStageVolume(
        NodeStageVolumeRequest request, ServerCallContext context)
    {
        TextRules.CheckVolumeId(request.VolumeId);
        var stagingPath = paths.ReadMountPath(StagingPath, request.StagingTargetPath);
        var access = ReadAccess(request.VolumeCapability);
        CheckMaps(request.PublishContext, request.VolumeContext);
        TextRules.RequireWellFormed(request.VolumeId);

        using var pass = await gate.EnterAsync(request.VolumeId, nameof(NodeStageVolume), context.CancellationToken);
        var record = await AuthorizeAsync(request.VolumeId, context.CancellationToken);
        RequireMatch(access, record);
        await guards.PrepareStageAsync(record, context.CancellationToken);
        await volumes.StageAsync(
            new StageRequest
            {
                Key = KeyOf(record),
                Access = AccessOf(access, record),
                FileSystem = FileSystemOf(access, record),
                MountFlags = access.MountFlags,
                StagingPath = stagingPath,
                MutableParameters = record.MutableParameters,
            },
            context.CancellationToken);
        staged.Remember(record);
        return new();
    }

    public override async Task<NodeUnstageVolumeResponse> NodeUnstageVolume(
        NodeUnstageVolumeRequest request, ServerCallContext context)
    {
        TextRules.CheckVolumeId(request.VolumeId);
        var stagingPath = paths.ReadMountPath(StagingPath, request.StagingTargetPath);
        if (CanBeHere(request.VolumeId))
        {
            using var pass = await gate.EnterAsync(
                request.VolumeId, nameof(NodeUnstageVolume), context.CancellationToken);
            staged.Forget(request.VolumeId);
            await volumes.UnstageAsync(request.VolumeId, stagingPath, context.CancellationToken);
            await guards.ReleaseAsync(request.VolumeId, context.CancellationToken);
        }

        return new();
    }

    public override async Task<NodePublishVolumeResponse> NodePublishVolume(
        NodePublishVolumeRequest request, ServerCallContext context)
    {
        TextRules.CheckVolumeId(request.VolumeId);
        var targetPath = paths.ReadMountPath(TargetPath, request.TargetPath);
        var access = ReadAccess(request.VolumeCapability);
        if (request.Readonly)
        {
            MountFlagRules.CheckReadOnly("volume_capability.mount.mount_flags", access.MountFlags, "readonly is set");
        }

        CheckMaps(request.PublishContext, request.VolumeContext);
        if (request.StagingTargetPath.Length == 0)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"{StagingPath} is missing; stage the volume with NodeStageVolume first and say where.");
        }

        var stagingPath = paths.ReadMountPath(StagingPath, request.StagingTargetPath);
        if (stagingPath == targetPath)
        {
            throw Refusal.Invalid(TargetPath, $"is the same as {StagingPath}; a volume cannot be bound onto itself.");
        }

        TextRules.RequireWellFormed(request.VolumeId);
        using var pass = await gate.EnterAsync(request.VolumeId, nameof(NodePublishVolume), context.CancellationToken);
        var record = await AuthorizeStagedAsync(request.VolumeId, context.CancellationToken);
        RequireMatch(access, record);
        await guards.GuardAsync(record, targetPath, context.CancellationToken);
        await volumes.PublishAsync(
            new PublishRequest
            {
                Key = KeyOf(record),
                Access = AccessOf(access, record),
                FileSystem = FileSystemOf(access, record),
                MountFlags = access.MountFlags,
                StagingPath = stagingPath,
                TargetPath = targetPath,
                ReadOnly = request.Readonly || access.ReadOnly,
                Exclusive = access.Exclusive,
                MountGroup = access.MountGroup,
            },
            context.CancellationToken);
        return new();
    }

    public override async Task<NodeUnpublishVolumeResponse> NodeUnpublishVolume(
        NodeUnpublishVolumeRequest request, ServerCallContext context)
    {
        TextRules.CheckVolumeId(request.VolumeId);
        var targetPath = paths.ReadMountPath(TargetPath, request.TargetPath);
        if (CanBeHere(request.VolumeId))
        {
            using var pass = await gate.EnterAsync(
                request.VolumeId, nameof(NodeUnpublishVolume), context.CancellationToken);
            await volumes.UnpublishAsync(request.VolumeId, targetPath, context.CancellationToken);
        }

        return new();
    }

    // At a node, a capability that is well-formed but impossible exceeds the volume; it is not a malformed request.
    private static RequestedAccess ReadAccess(VolumeCapability? capability) =>
        CapabilityRules.Read("volume_capability", capability, StorageErrorCode.FailedPrecondition);

    private static void CheckMaps(
        IDictionary<string, string> publishContext, IDictionary<string, string> volumeContext)
    {
        TextRules.CheckMap("publish_context", publishContext);
        TextRules.CheckMap("volume_context", volumeContext);
    }

    // Wider than what we give out: earlier releases left mounts of volumes with other ids ("host-..."). An id with a
    // slash was never anybody's, and must not become part of a path.
    private static bool CanBeHere(string volumeId) =>
        !volumeId.StartsWith('.') && !volumeId.Contains('/', StringComparison.Ordinal);
}
