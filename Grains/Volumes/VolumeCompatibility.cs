using Carina.Grains.Errors;
using Carina.Grains.Placement;

namespace Carina.Grains.Volumes;

/// <summary>Decides whether a repeated CreateVolume asks for the volume that exists (CSI: same name, same arguments).</summary>
internal static class VolumeCompatibility
{
    /// <exception cref="StorageException">AlreadyExists naming the difference; Aborted while it is being deleted.</exception>
    public static void Check(VolumeRecord record, CreateVolume request)
    {
        if (record.State == VolumeState.Deleting)
        {
            throw new StorageException(
                StorageErrorCode.Aborted, $"Volume '{request.Name}' is being deleted; create it again when it is gone.");
        }

        var sameRequest = record.RequestedBytes == request.RequiredBytes && record.LimitBytes == request.LimitBytes;
        var size = record.State == VolumeState.Ready ? record.Bytes : record.TargetBytes;
        var fits = size >= request.RequiredBytes && (request.LimitBytes == 0 || size <= request.LimitBytes);
        var difference =
            record.Name != request.Name ? $"its name is '{record.Name}'"
            : !sameRequest && !fits ? $"its size is {size} bytes"
            : record.Access == VolumeAccess.Unknown ? PlaceDifference(record, request)
            : record.Access != request.Access ? $"it is a {(record.Access == VolumeAccess.Block ? "block" : "file system")} volume"
            : record.FileSystem != request.FileSystem ? $"its file system is {record.FileSystem}"
            : PlaceDifference(record, request);
        if (difference is not null)
        {
            throw new StorageException(
                StorageErrorCode.AlreadyExists,
                $"Volume '{request.Name}' exists already and differs from this request: {difference}.");
        }
    }

    private static string? PlaceDifference(VolumeRecord record, CreateVolume request) =>
        record.Pool.Length > 0 && !PoolName.Means(request.Pool, record.Pool) ? $"it is in pool '{record.Pool}'"
        : record.NodeName.Length > 0 && !IsOnNode(record, request) ? $"it is on node '{record.NodeName}'"
        : null;

    // Only the driver's own key can be compared without the node's labels, and it is the one provisioners send.
    private static bool IsOnNode(VolumeRecord record, CreateVolume request) => PlacementPlanner.MatchesAny(
        [
            .. request.Requisite
                .Where(s => s.ContainsKey(CarinaNames.TopologyKey))
                .Select(s => new Dictionary<string, string> { [CarinaNames.TopologyKey] = s[CarinaNames.TopologyKey] }),
        ],
        new Dictionary<string, string> { [CarinaNames.TopologyKey] = record.NodeName });
}
