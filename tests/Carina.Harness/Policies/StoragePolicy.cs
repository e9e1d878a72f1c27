namespace Carina.Harness.Policies;

/// <summary>How the nodes of a laboratory get their pools.</summary>
public abstract class StoragePolicy
{
    /// <summary>Files behind loop devices in a directory of the node; runs on any kernel.</summary>
    public static StoragePolicy File { get; } = new FilePolicy();

    /// <summary>A volume group of the node; needs a kernel with device-mapper.</summary>
    public static StoragePolicy Lvm { get; } = new LvmPolicy();

    /// <summary>The policy that this kernel can run, LVM where there is a choice.</summary>
    public static StoragePolicy Default => HasDeviceMapper ? Lvm : File;

    /// <summary>Whether this kernel has device-mapper. The device node proves nothing: LVM's tools make it anywhere.</summary>
    public static bool HasDeviceMapper { get; } = System.IO.File.ReadLines("/proc/misc")
        .Any(line => line.EndsWith(" device-mapper", StringComparison.Ordinal));

    /// <summary>Value of <c>policy</c> in <c>config.json</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Name of the group, and so of the pool on every node.</summary>
    public abstract string Pool { get; }

    /// <summary>Makes a node's disks and what the pool needs on them.</summary>
    /// <param name="directory">An existing directory for the node's disks.</param>
    /// <param name="sizes">Size of each disk in bytes.</param>
    /// <param name="cancellationToken">Ends the work between two steps; what was made is taken away again.</param>
    public abstract Task<NodeStorage> PrepareAsync(
        string directory, IReadOnlyList<long> sizes, CancellationToken cancellationToken);
}
