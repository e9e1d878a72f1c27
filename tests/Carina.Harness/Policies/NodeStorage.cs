using Carina.Harness.Disks;

namespace Carina.Harness.Policies;

/// <summary>One node's disks and pool, as seen from outside the driver.</summary>
public abstract class NodeStorage
{
    /// <summary>The node's disks.</summary>
    public abstract IReadOnlyList<LoopDisk> Disks { get; }

    /// <summary>Value of <c>re</c> in the node's <c>config.json</c>.</summary>
    public abstract IReadOnlyList<string> Patterns { get; }

    /// <summary>Command line that the node's silo needs for these disks.</summary>
    public abstract IReadOnlyList<string> SiloArguments { get; }

    /// <summary>
    /// Volumes that the disks hold, by the name they have there (which contains the handle), with their sizes in bytes.
    /// Asks the disks, not the driver.
    /// </summary>
    public abstract Task<IReadOnlyDictionary<string, long>> ListVolumesAsync(CancellationToken cancellationToken);

    /// <summary>Takes pool and disks away, whatever the driver left in them. Nothing may be mounted any more.</summary>
    public abstract Task RemoveAsync(CancellationToken cancellationToken);
}
