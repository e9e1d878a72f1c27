namespace Carina.Harness.Sidecars;

/// <summary>What a claim and its StorageClass say.</summary>
public sealed record VolumeRequest
{
    /// <summary>Name of the PersistentVolume to be; the provisioner derives it from the claim's uid.</summary>
    public string Name { get; init; } = $"pvc-{Guid.NewGuid()}";

    /// <summary>Name of the claim; empty derives one from <see cref="Kind"/>.</summary>
    public string Claim { get; init; } = "";

    /// <summary>Bytes requested by the claim.</summary>
    public required long Bytes { get; init; }

    /// <summary>Upper limit in bytes; 0, which the provisioner always sends, means none.</summary>
    public long LimitBytes { get; init; }

    /// <summary>File system type; empty leaves it to the driver. Not for block volumes.</summary>
    public string FileSystem { get; init; } = "";

    /// <summary>A raw block volume (<c>volumeMode: Block</c>).</summary>
    public bool Block { get; init; }

    public IReadOnlyList<string> MountOptions { get; init; } = [];

    /// <summary>Disk group; empty means any.</summary>
    public string Pool { get; init; } = "";

    /// <summary>Further parameters of the StorageClass.</summary>
    public IReadOnlyDictionary<string, string> Parameters { get; init; } = new Dictionary<string, string>();

    /// <summary>Name for people: what this volume is, <c>ext4</c>, <c>xfs</c>, <c>block</c>.</summary>
    public string Kind => Block ? "block" : FileSystem.Length > 0 ? FileSystem : "default";
}
