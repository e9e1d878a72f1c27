using Carina.Grains.Volumes;

namespace Carina.Grains.Agents;

/// <summary>A volume to bring to a pod, as its grain authorised it for this node.</summary>
[GenerateSerializer]
[Alias("carina.StageRequest")]
public sealed record StageRequest
{
    [Id(0)]
    public required DiskVolumeKey Key { get; init; }

    [Id(1)]
    public required VolumeAccess Access { get; init; }

    /// <summary>File system type in lower case; empty for block volumes.</summary>
    [Id(2)]
    public required string FileSystem { get; init; }

    /// <summary>Mount options as given by the caller.</summary>
    [Id(3)]
    public required IReadOnlyList<string> MountFlags { get; init; }

    /// <summary>The staging directory; validated and absolute.</summary>
    [Id(4)]
    public required string StagingPath { get; init; }

    /// <summary>Mutable parameters to apply to the device.</summary>
    [Id(5)]
    public required IReadOnlyDictionary<string, string> MutableParameters { get; init; }
}

/// <summary>A staged volume to appear at a pod's path.</summary>
public sealed record PublishRequest
{
    public required DiskVolumeKey Key { get; init; }

    public required VolumeAccess Access { get; init; }

    public required string FileSystem { get; init; }

    public required IReadOnlyList<string> MountFlags { get; init; }

    public required string StagingPath { get; init; }

    /// <summary>Where the pod expects it; validated and absolute.</summary>
    public required string TargetPath { get; init; }

    public required bool ReadOnly { get; init; }

    /// <summary>True when no other target may exist (SINGLE_NODE_SINGLE_WRITER).</summary>
    public required bool Exclusive { get; init; }

    /// <summary>Group that must own the root of the file system (VOLUME_MOUNT_GROUP); null leaves it alone.</summary>
    public uint? MountGroup { get; init; }
}

/// <summary>Usage of a published volume; bytes and inodes, -1 where it does not apply.</summary>
public sealed record VolumeUsage
{
    public required long TotalBytes { get; init; }

    public long UsedBytes { get; init; } = -1;

    public long AvailableBytes { get; init; } = -1;

    public long TotalInodes { get; init; } = -1;

    public long UsedInodes { get; init; } = -1;

    public long AvailableInodes { get; init; } = -1;

    /// <summary>What is wrong, for people; empty when the volume is healthy.</summary>
    public string Problem { get; init; } = "";
}

/// <summary>
/// Brings this node's volumes to pods and takes them away again: devices, file systems, mounts. Every call is
/// idempotent. Paths have been validated by the caller for form; this side refuses to follow symbolic links.
/// </summary>
public interface INodeVolumes
{
    /// <summary>Activates the device, makes a file system if it is blank, and mounts it at the staging path.</summary>
    /// <exception cref="Errors.StorageException">
    /// AlreadyExists when staged with other options; FailedPrecondition when the device holds another file system.
    /// </exception>
    Task StageAsync(StageRequest request, CancellationToken cancellationToken);

    /// <summary>Undoes <see cref="StageAsync"/>; unknown or never staged is success.</summary>
    Task UnstageAsync(string volumeId, string stagingPath, CancellationToken cancellationToken);

    /// <summary>Bind-mounts the staged volume (or its device) at the target.</summary>
    Task PublishAsync(PublishRequest request, CancellationToken cancellationToken);

    /// <summary>Unmounts the target and removes it, never what is behind it; unknown is success.</summary>
    Task UnpublishAsync(string volumeId, string targetPath, CancellationToken cancellationToken);

    /// <summary>Usage and health at a path where the volume is staged or published.</summary>
    /// <exception cref="Errors.StorageException">NotFound when the volume is not at that path.</exception>
    Task<VolumeUsage> GetUsageAsync(DiskVolumeKey key, string path, CancellationToken cancellationToken);

    /// <summary>Makes device and file system at the path as large as the volume is; returns the size in bytes.</summary>
    Task<long> ExpandAsync(DiskVolumeKey key, string path, CancellationToken cancellationToken);
}
