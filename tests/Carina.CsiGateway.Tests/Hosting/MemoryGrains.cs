using Carina.Grains.Agents;
using Carina.Grains.Configuration;
using Carina.Grains.Errors;
using Carina.Grains.Nodes;
using Carina.Grains.Placement;
using Carina.Grains.Volumes;

namespace Carina.CsiGateway.Tests.Hosting;

internal sealed partial class MemoryVolumeGrain(MemoryCluster cluster, string id) : IVolumeGrain
{
    private VolumeRecord Required =>
        cluster.Volumes.GetValueOrDefault(id) ?? throw Error(StorageErrorCode.NotFound, $"There is no volume '{id}'.");

    public async Task<VolumeRecord> CreateAsync(CreateVolume request, CancellationToken cancellationToken)
    {
        await cluster.EnterAsync(cancellationToken);
        cluster.Created.Enqueue(request);
        if (cluster.Volumes.TryGetValue(id, out var existing))
        {
            return existing.RequestedBytes == request.RequiredBytes && existing.Access == request.Access
                ? existing
                : throw Error(StorageErrorCode.AlreadyExists, $"Volume '{id}' exists with another size or access type.");
        }

        var record = cluster.Add(request.Name, request.Access) with
        {
            Pool = request.Pool.Length > 0 ? request.Pool : "carina-lvm",
            Policy = PoolPolicy.Lvm,
            Bytes = request.RequiredBytes,
            RequestedBytes = request.RequiredBytes,
            FileSystem = request.FileSystem,
            Parameters = request.Parameters,
            MutableParameters = request.MutableParameters,
        };
        return cluster.Volumes[id] = record;
    }

    public async Task DeleteAsync(CancellationToken cancellationToken)
    {
        await cluster.EnterAsync(cancellationToken);
        cluster.Volumes.TryRemove(id, out _);
    }

    public async Task<VolumeRecord?> GetAsync(CancellationToken cancellationToken)
    {
        await cluster.EnterAsync(cancellationToken);
        return cluster.Volumes.GetValueOrDefault(id);
    }

    public async Task<VolumeRecord> ExpandAsync(long requiredBytes, long limitBytes, CancellationToken cancellationToken)
    {
        await cluster.EnterAsync(cancellationToken);
        var record = Required;
        return cluster.Volumes[id] = record with { Bytes = Math.Max(record.Bytes, requiredBytes) };
    }

    public async Task<VolumeRecord> ModifyAsync(
        Dictionary<string, string> mutableParameters, CancellationToken cancellationToken)
    {
        await cluster.EnterAsync(cancellationToken);
        return cluster.Volumes[id] = Required with { MutableParameters = mutableParameters };
    }

    public async Task PublishAsync(string nodeName, bool readOnly, int maxPerNode, CancellationToken cancellationToken)
    {
        await cluster.EnterAsync(cancellationToken);
        var record = Required;
        if (!cluster.Nodes.Contains(nodeName))
        {
            throw Error(StorageErrorCode.NotFound, $"There is no node '{nodeName}'.");
        }

        if (record.PublishedNodes.TryGetValue(nodeName, out var before))
        {
            if (before != readOnly)
            {
                throw Error(StorageErrorCode.AlreadyExists, $"Volume '{id}' is published otherwise already.");
            }

            return;
        }

        if (maxPerNode > 0 && cluster.Volumes.Values.Count(v => v.PublishedNodes.ContainsKey(nodeName)) >= maxPerNode)
        {
            throw Error(StorageErrorCode.ResourceExhausted, $"Node '{nodeName}' has its limit of {maxPerNode} volumes.");
        }

        cluster.Volumes[id] = record with { PublishedNodes = new(record.PublishedNodes) { [nodeName] = readOnly } };
    }

    public async Task UnpublishAsync(string nodeName, CancellationToken cancellationToken)
    {
        await cluster.EnterAsync(cancellationToken);
        if (cluster.Volumes.TryGetValue(id, out var record))
        {
            cluster.Volumes[id] = record with
            {
                PublishedNodes = nodeName.Length == 0
                    ? []
                    : record.PublishedNodes.Where(node => node.Key != nodeName).ToDictionary(),
            };
        }
    }

    public async Task<VolumeRecord> AuthorizeAsync(string nodeName, CancellationToken cancellationToken)
    {
        await cluster.EnterAsync(cancellationToken);
        var record = Required;
        return record.NodeName == nodeName
            ? record
            : throw Error(StorageErrorCode.FailedPrecondition, $"Volume '{id}' is on node '{record.NodeName}'.");
    }

    public Task CleanUpAsync(CancellationToken cancellationToken) =>
        throw new NotSupportedException("The gateway never cleans up by itself.");

    public Task AdoptAsync(CancellationToken cancellationToken) =>
        throw new NotSupportedException("The gateway never takes volumes over by itself.");

    private static StorageException Error(StorageErrorCode code, string message) => new(code, message);
}

internal sealed class MemoryPlacementGrain(MemoryCluster cluster) : IPlacementGrain
{
    public async Task<AvailableCapacity> GetCapacityAsync(CapacityQuery query, CancellationToken cancellationToken)
    {
        await cluster.EnterAsync(cancellationToken);
        cluster.LastQuery = query;
        return cluster.Capacity;
    }

    public Task<PlacementRanking> RankAsync(PlacementRequest request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The gateway leaves placement to the volume's grain.");

    public Task<IReadOnlyList<NodeCapacity>> GetNodesAsync(CancellationToken cancellationToken) =>
        throw new NotSupportedException("The gateway needs sums only.");

    public Task<IReadOnlyList<NodeCapacity>> GetNodesAsync(
        Dictionary<string, List<string>> awaited, TimeSpan patience, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The gateway needs sums only.");
}

internal sealed class MemoryNodeGrain(MemoryCluster cluster) : INodeGrain
{
    public async Task<NodeCapacity> GetCapacityAsync(CancellationToken cancellationToken)
    {
        await cluster.EnterAsync(cancellationToken);
        return cluster.NodeCapacity;
    }

    public Task<NodeCapacity> GetCapacityAsync(List<string> awaited, CancellationToken cancellationToken) => throw Unasked();

    public Task<ReservationResult> ReserveAsync(Reservation reservation, CancellationToken cancellationToken) => throw Unasked();

    public Task ConfirmAsync(DiskVolumeKey key, long bytes, CancellationToken cancellationToken) => throw Unasked();

    public Task RenameAsync(DiskVolumeKey from, DiskVolumeKey to, long bytes, CancellationToken cancellationToken) => throw Unasked();

    public Task ReleaseAsync(string volumeId, long generation, CancellationToken cancellationToken) => throw Unasked();

    public Task<bool> AttachAsync(string volumeId, int limit, CancellationToken cancellationToken) => throw Unasked();

    public Task DetachAsync(string volumeId, CancellationToken cancellationToken) => throw Unasked();

    public Task<string> GetVolumeProblemAsync(string volumeId, CancellationToken cancellationToken) => throw Unasked();

    public Task ReportAsync(NodeReport report, CancellationToken cancellationToken) => throw Unasked();

    private static NotSupportedException Unasked() => new("The gateway reads capacity only.");
}

internal sealed class MemoryCatalogGrain(MemoryCluster cluster) : IVolumeCatalogGrain
{
    public async Task<IReadOnlyList<VolumeRecord>> ListAsync(
        string? afterVolumeId, int limit, CancellationToken cancellationToken)
    {
        await cluster.EnterAsync(cancellationToken);
        var all = cluster.Volumes.Values
            .OrderBy(volume => volume.VolumeId, StringComparer.Ordinal)
            .Where(volume => string.CompareOrdinal(volume.VolumeId, afterVolumeId) > 0);
        return [.. limit == 0 ? all : all.Take(limit)];
    }

    public async Task<string> GetConditionAsync(string volumeId, CancellationToken cancellationToken)
    {
        await cluster.EnterAsync(cancellationToken);
        return cluster.Problems.GetValueOrDefault(volumeId, "");
    }
}
