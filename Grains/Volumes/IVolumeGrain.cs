using Carina.Grains.Failover;
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

    /// <summary>
    /// The node gives its word that it stops all writing to its generation of the volume before its lease can have
    /// lapsed. From then on the volume may be handed over to another node when that happens. Idempotent.
    /// </summary>
    /// <exception cref="Errors.StorageException">As <see cref="AuthorizeAsync"/>; FailedPrecondition for another generation.</exception>
    [Alias("Guard")]
    Task GuardAsync(string nodeName, long generation, CancellationToken cancellationToken);

    /// <summary>Takes that back: nothing that opted in uses the volume there any more. Anything else is left alone.</summary>
    [Alias("Unguard")]
    Task UnguardAsync(string nodeName, long generation, CancellationToken cancellationToken);

    /// <summary>
    /// Records that the volume is to leave its node; unless the move is prepared first, nobody may start to use it from the
    /// answer on. Repeated with the same id it returns the move as far as it is.
    /// </summary>
    /// <exception cref="Errors.StorageException">
    /// NotFound; FailedPrecondition when the volume is not on that node or has no such copy; Aborted when another move is
    /// under way.
    /// </exception>
    [Alias("BeginMove")]
    Task<VolumeRecord> BeginMoveAsync(MoveOrder order, CancellationToken cancellationToken);

    /// <summary>Preparation is over: from the answer on nobody may start to use the volume.</summary>
    [Alias("EndPreparation")]
    Task<VolumeRecord> EndPreparationAsync(string moveId, CancellationToken cancellationToken);

    /// <summary>What was copied is exactly what the volume held when nobody wrote to it any more.</summary>
    /// <param name="moveId">The move.</param>
    /// <param name="target">Where it was copied to; another coordinator may have chosen another place meanwhile.</param>
    /// <param name="evidence">What proves it, for people.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [Alias("ConfirmCopyTo")]
    Task<VolumeRecord> ConfirmCopyAsync(string moveId, AbandonedPlace target, string evidence, CancellationToken cancellationToken);

    /// <summary>The data stays behind after all; the volume will be empty. Nothing happens when it is copied already.</summary>
    [Alias("ForgoCopy")]
    Task<VolumeRecord> ForgoCopyAsync(string moveId, string reason, CancellationToken cancellationToken);

    /// <summary>Ends a move while nothing was made elsewhere: the volume stays where it is. Any other move is left alone.</summary>
    /// <exception cref="Errors.StorageException">FailedPrecondition when the volume has moved already.</exception>
    [Alias("CancelMove")]
    Task CancelMoveAsync(string moveId, string reason, CancellationToken cancellationToken);

    /// <summary>The old holder cannot write any more.</summary>
    /// <param name="moveId">The move.</param>
    /// <param name="evidence">How that is known, for people.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [Alias("ConfirmFence")]
    Task<VolumeRecord> ConfirmFenceAsync(string moveId, string evidence, CancellationToken cancellationToken);

    /// <summary>
    /// Reserves room for the volume on another node, and gives up an earlier place of this move. Volumes that move
    /// together are all placed before the first is made.
    /// </summary>
    /// <exception cref="Errors.StorageException">
    /// ResourceExhausted when the node has no room or an older copy of the volume; Unavailable when that is not known;
    /// FailedPrecondition when the old holder may still write.
    /// </exception>
    [Alias("PlaceMove")]
    Task<VolumeRecord> PlaceMoveAsync(string moveId, string toNode, CancellationToken cancellationToken);

    /// <summary>Makes the volume, empty, at the place that was reserved; it is not used yet.</summary>
    /// <exception cref="Errors.StorageException">ResourceExhausted when there is no room after all.</exception>
    [Alias("MakeMove")]
    Task<VolumeRecord> MakeMoveAsync(string moveId, CancellationToken cancellationToken);

    /// <summary>Gives the place up again and has removed what was made there. After <see cref="CommitMoveAsync"/> nothing happens.</summary>
    [Alias("UnplaceMove")]
    Task<VolumeRecord> UnplaceMoveAsync(string moveId, CancellationToken cancellationToken);

    /// <summary>What was made is the volume from now on; the old copy is retired, not deleted.</summary>
    [Alias("CommitMove")]
    Task<VolumeRecord> CommitMoveAsync(string moveId, CancellationToken cancellationToken);

    /// <summary>Keeps the manifest of a PersistentVolume that is about to be deleted and made again.</summary>
    [Alias("RememberManifest")]
    Task RememberManifestAsync(string moveId, string manifest, CancellationToken cancellationToken);

    /// <summary>A step after relocation is done: goes on to the next, or ends the move after the last.</summary>
    /// <param name="moveId">The move.</param>
    /// <param name="done">The step that was done; if the move is not at it any more, nothing happens.</param>
    /// <param name="what">What was done, for the volume's history.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [Alias("CompleteStep")]
    Task<VolumeRecord> CompleteStepAsync(
        string moveId, MovePhase done, string what, CancellationToken cancellationToken);

    /// <summary>
    /// Copies that were left on nodes which answer are given handles of their own there, so that the volume may come back to
    /// those nodes. What is done already is not done again.
    /// </summary>
    /// <exception cref="Errors.StorageException">FailedPrecondition while something on the node has a copy open.</exception>
    [Alias("PutCopiesAside")]
    Task<VolumeRecord> PutCopiesAsideAsync(CancellationToken cancellationToken);

    /// <summary>Deletes one copy that a move left behind; one that is not there is success.</summary>
    /// <param name="nodeName">Where it is.</param>
    /// <param name="generation">Which one.</param>
    /// <param name="reason">Who wants that, for the volume's history.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="Errors.StorageException">Unavailable while its node does not answer; FailedPrecondition while it is in use.</exception>
    [Alias("DiscardCopy")]
    Task<VolumeRecord> DiscardCopyAsync(string nodeName, long generation, string reason, CancellationToken cancellationToken);

    /// <summary>Notes what stands in the way of a move; the same again changes nothing.</summary>
    [Alias("NoteObstacle")]
    Task NoteObstacleAsync(string moveId, string problem, CancellationToken cancellationToken);
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
