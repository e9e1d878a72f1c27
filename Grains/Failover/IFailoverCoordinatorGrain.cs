using Orleans.Concurrency;

namespace Carina.Grains.Failover;

/// <summary>
/// The one that watches the nodes. Key 0. It runs in whichever controller calls it first; when that one dies, in the next
/// that calls.
/// </summary>
[Alias("carina.IFailoverCoordinatorGrain")]
public interface IFailoverCoordinatorGrain : IGrainWithIntegerKey
{
    /// <summary>Keeps it running; to be called every few seconds by every silo that it may run in.</summary>
    [Alias("KeepRunning")]
    [AlwaysInterleave]
    Task KeepRunningAsync(CancellationToken cancellationToken);
}
