namespace Carina.Grains.Volumes;

/// <summary>All volumes, for listing. Key 0; any number of activations.</summary>
[Alias("carina.IVolumeCatalogGrain")]
public interface IVolumeCatalogGrain : IGrainWithIntegerKey
{
    /// <summary>Volumes in ordinal order of their ids, those being made included only once they exist.</summary>
    /// <param name="afterVolumeId">Start after this id; null starts at the beginning.</param>
    /// <param name="limit">At most so many; 0 means all.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [Alias("List")]
    Task<IReadOnlyList<VolumeRecord>> ListAsync(string? afterVolumeId, int limit, CancellationToken cancellationToken);

    /// <summary>What is wrong with a volume, for people; empty when nothing is known to be.</summary>
    [Alias("GetCondition")]
    Task<string> GetConditionAsync(string volumeId, CancellationToken cancellationToken);
}
