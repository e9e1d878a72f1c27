using Carina.Grains.Volumes;

namespace Carina.Grains.Agents;

/// <summary>
/// Guards the volumes of pods that opted in to failover: the node gives its word to stop writing to them before anybody
/// else may take them. Calls for one volume come one at a time.
/// </summary>
public interface IVolumeGuards
{
    /// <summary>
    /// The volume is about to be staged, and its grain has just said that it is this node's: a fence of this generation
    /// is lifted.
    /// </summary>
    /// <exception cref="Errors.StorageException">
    /// FailedPrecondition while processes hold what is dead of it; Unavailable when that cannot be told to others now.
    /// </exception>
    Task PrepareStageAsync(VolumeRecord record, CancellationToken cancellationToken);

    /// <summary>
    /// A pod is about to get the volume at <paramref name="targetPath"/>: guards the volume if pod or StorageClass opted
    /// in. While the API server is away the pod gets its volume unguarded; that is then not handed over by a lapse.
    /// </summary>
    /// <exception cref="Errors.StorageException">FailedPrecondition or NotFound when the volume is not this node's any more.</exception>
    Task GuardAsync(VolumeRecord record, string targetPath, CancellationToken cancellationToken);

    /// <summary>Nothing on this node uses the volume any more. Never fails for want of others.</summary>
    Task ReleaseAsync(string volumeId, CancellationToken cancellationToken);
}

/// <summary>Where nothing fails over, nothing is guarded.</summary>
public sealed class NoVolumeGuards : IVolumeGuards
{
    public Task PrepareStageAsync(VolumeRecord record, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task GuardAsync(VolumeRecord record, string targetPath, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task ReleaseAsync(string volumeId, CancellationToken cancellationToken) => Task.CompletedTask;
}
