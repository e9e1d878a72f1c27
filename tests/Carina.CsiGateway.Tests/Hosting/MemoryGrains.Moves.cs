using Carina.Grains.Failover;
using Carina.Grains.Volumes;

namespace Carina.CsiGateway.Tests.Hosting;

// Nothing that comes over CSI moves a volume.
internal sealed partial class MemoryVolumeGrain
{
    public Task GuardAsync(string nodeName, long generation, CancellationToken cancellationToken) => throw NoMoves();

    public Task UnguardAsync(string nodeName, long generation, CancellationToken cancellationToken) => throw NoMoves();

    public Task<VolumeRecord> BeginMoveAsync(MoveOrder order, CancellationToken cancellationToken) => throw NoMoves();

    public Task<VolumeRecord> EndPreparationAsync(string moveId, CancellationToken cancellationToken) => throw NoMoves();

    public Task<VolumeRecord> ConfirmCopyAsync(
        string moveId, AbandonedPlace target, string evidence, CancellationToken cancellationToken) => throw NoMoves();

    public Task<VolumeRecord> ForgoCopyAsync(string moveId, string reason, CancellationToken cancellationToken) => throw NoMoves();

    public Task<VolumeRecord> PutCopiesAsideAsync(CancellationToken cancellationToken) => throw NoMoves();

    public Task<VolumeRecord> DiscardCopyAsync(
        string nodeName, long generation, string reason, CancellationToken cancellationToken) => throw NoMoves();

    public Task CancelMoveAsync(string moveId, string reason, CancellationToken cancellationToken) => throw NoMoves();

    public Task<VolumeRecord> ConfirmFenceAsync(string moveId, string evidence, CancellationToken cancellationToken) => throw NoMoves();

    public Task<VolumeRecord> PlaceMoveAsync(string moveId, string toNode, CancellationToken cancellationToken) => throw NoMoves();

    public Task<VolumeRecord> MakeMoveAsync(string moveId, CancellationToken cancellationToken) => throw NoMoves();

    public Task<VolumeRecord> UnplaceMoveAsync(string moveId, CancellationToken cancellationToken) => throw NoMoves();

    public Task<VolumeRecord> CommitMoveAsync(string moveId, CancellationToken cancellationToken) => throw NoMoves();

    public Task RememberManifestAsync(string moveId, string manifest, CancellationToken cancellationToken) => throw NoMoves();

    public Task<VolumeRecord> CompleteStepAsync(
        string moveId, MovePhase done, string what, CancellationToken cancellationToken) => throw NoMoves();

    public Task NoteObstacleAsync(string moveId, string problem, CancellationToken cancellationToken) => throw NoMoves();

    private static NotSupportedException NoMoves() => new("Volumes in memory do not move.");
}
