using Carina.CsiGateway.Hosting;
using Carina.CsiGateway.Validation;
using Carina.Grains;
using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Csi.V1;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Rpc = Csi.V1.NodeServiceCapability.Types.RPC.Types.Type;

namespace Carina.CsiGateway.Node;

/// <summary>
/// What kubelet asks of this node. Bringing a volume to a pod needs the word of the volume's grain that this node owns
/// its current generation; taking it away needs nobody's, so that a node can always be cleaned up.
/// </summary>
internal sealed partial class CsiNodeService(
    IGrainFactory grains,
    INodeVolumes volumes,
    IVolumeGuards guards,
    VolumeGate gate,
    StagedVolumes staged,
    PathRules paths,
    CsiOptions options,
    ILogger<CsiNodeService> logger)
    : Csi.V1.Node.NodeBase
{
    private const string StagingPath = "staging_target_path";
    private const string TargetPath = "target_path";

    private static readonly Rpc[] _capabilities =
    [
        Rpc.StageUnstageVolume,
        Rpc.GetVolumeStats,
        Rpc.ExpandVolume,
        Rpc.VolumeCondition,
        Rpc.SingleNodeMultiWriter,
        Rpc.VolumeMountGroup,
    ];

    public override Task<NodeGetCapabilitiesResponse> NodeGetCapabilities(
        NodeGetCapabilitiesRequest request, ServerCallContext context)
    {
        var response = new NodeGetCapabilitiesResponse();
        response.Capabilities.AddRange(
            _capabilities.Select(rpc => new NodeServiceCapability { Rpc = new() { Type = rpc } }));
        return Task.FromResult(response);
    }

    public override Task<NodeGetInfoResponse> NodeGetInfo(NodeGetInfoRequest request, ServerCallContext context) =>
        Task.FromResult(new NodeGetInfoResponse
        {
            NodeId = options.NodeName,
            MaxVolumesPerNode = options.MaxVolumesPerNode,
            AccessibleTopology = new() { Segments = { [CarinaNames.TopologyKey] = options.NodeName } },
        });

    private Task<VolumeRecord> AuthorizeAsync(string volumeId, CancellationToken cancellationToken) =>
        grains.GetGrain<IVolumeGrain>(volumeId).AuthorizeAsync(options.NodeName, cancellationToken);

    /// <summary>As above; for a volume that is staged here, its owner's last word counts while it cannot be asked.</summary>
    private async Task<VolumeRecord> AuthorizeStagedAsync(string volumeId, CancellationToken cancellationToken)
    {
        try
        {
            return await AuthorizeAsync(volumeId, cancellationToken);
        }
        catch (Exception exception) when (IsSilence(exception) && staged.Find(volumeId) is not null)
        {
            LogPublishedFromMemory(volumeId, exception.Message);
            return staged.Find(volumeId) ?? throw Refusal.UnknownVolume(volumeId);
        }
    }

    // No answer, as opposed to a refusal. A caller that gave up is neither.
    private static bool IsSilence(Exception exception) =>
        exception is StorageException { Code: StorageErrorCode.Unavailable } or TimeoutException or OrleansException;

    private static DiskVolumeKey KeyOf(VolumeRecord record) => new(record.VolumeId, record.Pool, record.Generation);

    // The specification's code for a use that a volume was not made for, at stage and publish.
    private static void RequireMatch(RequestedAccess access, VolumeRecord record)
    {
        if (CapabilityRules.FindMismatch(access, record) is { } mismatch)
        {
            throw new StorageException(StorageErrorCode.FailedPrecondition, $"volume_capability {mismatch}");
        }
    }

    private static VolumeAccess AccessOf(RequestedAccess access, VolumeRecord record) =>
        record.Access is VolumeAccess.Unknown ? access.Access : record.Access;

    private static string FileSystemOf(RequestedAccess access, VolumeRecord record) => record switch
    {
        _ when AccessOf(access, record) is VolumeAccess.Block => "",
        { FileSystem.Length: > 0 } => record.FileSystem,
        _ => access.FileSystem.Length > 0 ? access.FileSystem : FileSystems.Default,
    };
}
