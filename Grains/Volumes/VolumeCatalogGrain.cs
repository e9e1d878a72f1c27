using Carina.Grains.Errors;
using Carina.Grains.Nodes;
using Carina.Grains.Storage;
using Orleans.Concurrency;

namespace Carina.Grains.Volumes;

/// <summary>Lists volumes from the store.</summary>
[StatelessWorker]
[GrainType("carina-volume-catalog")]
internal sealed class VolumeCatalogGrain(
    IRecordStore<VolumeRecord> store,
    INodeDirectory directory,
    IGrainFactory grains) : Grain, IVolumeCatalogGrain
{
    public async Task<IReadOnlyList<VolumeRecord>> ListAsync(
        string? afterVolumeId, int limit, CancellationToken cancellationToken)
    {
        var page = new List<VolumeRecord>();
        var after = afterVolumeId;
        while (true)
        {
            var batch = await store.ListAsync(after, limit, cancellationToken);
            page.AddRange(batch.Select(s => s.Value).Where(v => v.State == VolumeState.Ready));
            if (limit == 0 || batch.Count < limit)
            {
                return page;
            }

            if (page.Count >= limit)
            {
                return page.GetRange(0, limit);
            }

            after = batch[^1].Name;
        }
    }

    public async Task<string> GetConditionAsync(string volumeId, CancellationToken cancellationToken)
    {
        string node;
        try
        {
            var stored = await store.ReadAsync(volumeId, cancellationToken);
            if (stored is null)
            {
                return $"There is no volume '{volumeId}'.";
            }

            node = stored.Value.NodeName;
        }
        catch (StorageException exception) when (exception.Code == StorageErrorCode.FailedPrecondition)
        {
            return exception.Message;
        }

        return directory.LiveNodes.Contains(node)
            ? await grains.GetGrain<INodeGrain>(node).GetVolumeProblemAsync(volumeId, cancellationToken)
            : $"Node '{node}', which holds the volume, does not answer.";
    }
}
