using Orleans.Concurrency;

namespace Carina.Grains.Volumes;

/// <summary>One volume's saga; the grain's key is the volume handle.</summary>
[Alias("carina.IVolumeGrain")]
public interface IVolumeGrain : IGrainWithStringKey
{
    /// <summary>Makes the volume, or returns it when it exists and is compatible.</summary>
    /// <exception cref="Errors.StorageException">
    /// AlreadyExists when it exists otherwise; ResourceExhausted when no node has room; OutOfRange for the size.
    /// </exception>
    [Alias("Create")]
    Task<VolumeRecord> CreateAsync(CreateVolume request, CancellationToken cancellationToken);

    /// <summary>Removes the volume; a missing one is success.</summary>
    [Alias("Delete")]
    Task DeleteAsync(CancellationToken cancellationToken);

    /// <summary>The volume, or null when there is none.</summary>
    [Alias("Get")]
    [AlwaysInterleave]
    Task<VolumeRecord?> GetAsync(CancellationToken cancellationToken);

    /// <summary>Grows the volume; returns it with its new size.</summary>
    [Alias("Expand")]
    Task<VolumeRecord> ExpandAsync(long requiredBytes, long limitBytes, CancellationToken cancellationToken);

    /// <summary>Replaces mutable parameters that are given, keeps the others, and applies them.</summary>
    [Alias("Modify")]
    Task<VolumeRecord> ModifyAsync(Dictionary<string, string> mutableParameters, CancellationToken cancellationToken);

    /// <summary>Records that a node may use the volume.</summary>
    /// <param name="maxPerNode">Refuse when the node already has so many; 0 means no limit.</param>
    [Alias("Publish")]
    Task PublishAsync(string nodeName, bool readOnly, int maxPerNode, CancellationToken cancellationToken);

    /// <summary>Undoes <see cref="PublishAsync"/>; an empty name means all nodes.</summary>
    [Alias("Unpublish")]
    Task UnpublishAsync(string nodeName, CancellationToken cancellationToken);

    /// <summary>Removes what earlier, never handed out generations left on nodes that are back.</summary>
    [Alias("CleanUp")]
    Task CleanUpAsync(CancellationToken cancellationToken);

    /// <summary>Has the volume's node mark it as ours on disk, when Carina up to 0.14 made it; idempotent.</summary>
    [Alias("Adopt")]
    Task AdoptAsync(CancellationToken cancellationToken);

    /// <summary>Confirms that this node owns the current generation and may use it.</summary>
    /// <exception cref="Errors.StorageException">NotFound, or FailedPrecondition when another node owns it.</exception>
    [Alias("Authorize")]
    [AlwaysInterleave]
    Task<VolumeRecord> AuthorizeAsync(string nodeName, CancellationToken cancellationToken);
}

/// <summary>A volume asked for, already validated for form.</summary>
[GenerateSerializer]
[Alias("carina.CreateVolume")]
public sealed record CreateVolume
{
    [Id(0)]
    public required string Name { get; init; }

    /// <summary>Bytes at least; positive.</summary>
    [Id(1)]
    public required long RequiredBytes { get; init; }

    /// <summary>Bytes at most; 0 means no limit.</summary>
    [Id(2)]
    public required long LimitBytes { get; init; }

    [Id(3)]
    public required VolumeAccess Access { get; init; }

    /// <summary>File system type in lower case; empty for block volumes.</summary>
    [Id(4)]
    public required string FileSystem { get; init; }

    /// <summary>Pool asked for; empty means any.</summary>
    [Id(5)]
    public required string Pool { get; init; }

    [Id(6)]
    public required Dictionary<string, string> Parameters { get; init; }

    [Id(7)]
    public required Dictionary<string, string> MutableParameters { get; init; }

    /// <summary>Topology segments of which one must match; empty means anywhere.</summary>
    [Id(8)]
    public required List<Dictionary<string, string>> Requisite { get; init; }

    /// <summary>Topology segments in order of preference.</summary>
    [Id(9)]
    public required List<Dictionary<string, string>> Preferred { get; init; }
}
