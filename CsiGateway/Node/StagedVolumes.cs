using System.Collections.Concurrent;
using Carina.Grains.Volumes;

namespace Carina.CsiGateway.Node;

/// <summary>
/// Volumes that this process staged with their owner's word and that are staged still. While the owner of the truth
/// cannot be asked (the API server is away), such a volume may go to another pod of this node: it is in use here already,
/// and no other node can have got it without this one letting go of it.
/// </summary>
internal sealed class StagedVolumes
{
    private readonly ConcurrentDictionary<string, VolumeRecord> _records = new(StringComparer.Ordinal);

    public void Remember(VolumeRecord record) => _records[record.VolumeId] = record;

    public void Forget(string volumeId) => _records.TryRemove(volumeId, out _);

    public VolumeRecord? Find(string volumeId) => _records.GetValueOrDefault(volumeId);
}
