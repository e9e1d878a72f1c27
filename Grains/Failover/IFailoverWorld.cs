using Carina.Grains.Volumes;

namespace Carina.Grains.Failover;

/// <summary>A node as failover sees it.</summary>
public sealed record ObservedNode
{
    public required string Name { get; init; }

    /// <summary>Whether there is a Node object of that name.</summary>
    public bool Exists { get; init; } = true;

    /// <summary>Condition Ready is True.</summary>
    public bool Ready { get; init; } = true;

    /// <summary>Somebody cordoned it, or said that it is in maintenance (<see cref="FailoverNames.Maintenance"/>).</summary>
    public bool InMaintenance { get; init; }

    /// <summary>
    /// Taint <c>node.kubernetes.io/out-of-service</c>: an operator's word that the machine is off (Kubernetes: non-graceful
    /// node shutdown).
    /// </summary>
    public bool OutOfService { get; init; }

    /// <summary>An operator wants its volumes elsewhere (<see cref="FailoverNames.Evacuate"/>).</summary>
    public bool Evacuate { get; init; }

    /// <summary>Its silo is a living member of the cluster.</summary>
    public bool SiloLive { get; init; } = true;

    /// <summary>Its lease; null when it has none.</summary>
    public ObservedLease? Lease { get; init; }

    /// <summary>Its kubelet's own lease; null when it has none, or nobody looked (<see cref="FailoverOptions.FastDetection"/>).</summary>
    public ObservedHeartbeat? Kubelet { get; init; }
}

/// <summary>A kubelet's lease by the observer's own clock.</summary>
/// <param name="Silence">Time for which it was seen not to change, with the API server answering all the time.</param>
/// <param name="Period">Time between two renewals.</param>
public sealed record ObservedHeartbeat(TimeSpan Silence, TimeSpan Period)
{
    private const double MissedPeriods = 1.5;

    /// <summary>A renewal is missing for certain, and not only late.</summary>
    public bool IsSilent => Silence >= Period * MissedPeriods;
}

/// <summary>A node's lease by the observer's own clock.</summary>
/// <param name="Silence">Time for which it was seen not to change, with the API server answering all the time.</param>
/// <param name="Duration">Time after which it lapses.</param>
/// <param name="Guarded">Something on the node stops all writing before it can have lapsed.</param>
/// <param name="Fenced">Volumes that the node says it has stopped writing to.</param>
public sealed record ObservedLease(
    TimeSpan Silence, TimeSpan Duration, bool Guarded, IReadOnlyList<string> Fenced)
{
    /// <summary>A guard process was seen alive beside the silo just before the last renewal.</summary>
    public bool HasGuardProcess { get; init; }

    // A node renews after a fifth or a third of the duration (Silo/Fencing/Leases/NodeLeaseOptions).
    private const double OverdueShare = 0.4;

    public bool HasLapsed(TimeSpan margin) => Silence >= Duration + margin;

    /// <summary>It should have been renewed by now, and may be about to lapse.</summary>
    public bool IsOverdue => Silence >= Duration * OverdueShare;
}

/// <summary>A pod that uses volumes.</summary>
/// <param name="Namespace">Its namespace.</param>
/// <param name="Name">Its name.</param>
/// <param name="Uid">Its uid.</param>
/// <param name="NodeName">The node that it is on; empty when it is on none.</param>
/// <param name="OptedIn">It may be moved with its volumes.</param>
/// <param name="HasRun">A container of it has run there: it may have written.</param>
public sealed record VolumePod(
    string Namespace, string Name, string Uid, string NodeName, bool OptedIn, bool HasRun);

/// <summary>Volumes of one node that have to move together, since pods use several of them, and those pods.</summary>
public sealed record VolumeGroup
{
    public required IReadOnlyList<VolumeRecord> Volumes { get; init; }

    public required IReadOnlyList<VolumePod> Pods { get; init; }

    /// <summary>
    /// Their owners want them to be moved: the StorageClass says so, or all their pods do. Nothing else is ever moved.
    /// </summary>
    public required bool OptedIn { get; init; }

    /// <summary>What becomes of the data when the node is lost; of several answers the one that keeps most.</summary>
    public FailoverData Data { get; init; }

    /// <summary>The first volume's handle, by which the group is known.</summary>
    public string Name => Volumes[0].VolumeId;
}

/// <summary>Whether the pods of a group could run on a node.</summary>
/// <param name="NodeName">The node.</param>
/// <param name="Obstacle">What stands in the way, for people; empty when nothing does.</param>
/// <param name="Preference">The higher, the better.</param>
public sealed record PodPlace(string NodeName, string Obstacle, int Preference);

/// <summary>What an operator wants of a volume.</summary>
public enum VolumeRequestKind
{
    Move,
    Restore,
    Discard,
    Cancel,
}

/// <summary>Something that an operator asked for, by an annotation of the volume's object.</summary>
/// <param name="VolumeId">The volume.</param>
/// <param name="Kind">What.</param>
/// <param name="Key">The annotation's name.</param>
/// <param name="Value">The annotation's value, as given.</param>
public sealed record VolumeRequest(string VolumeId, VolumeRequestKind Kind, string Key, string Value);

/// <summary>The cluster around the volumes: nodes, pods, claims. Failover knows it through this only.</summary>
public interface IFailoverWorld
{
    /// <summary>All nodes as the API server says just now.</summary>
    /// <exception cref="Exception">The API server does not answer: nothing may be concluded.</exception>
    Task<IReadOnlyList<ObservedNode>> ObserveAsync(CancellationToken cancellationToken);

    /// <summary>Who uses these volumes of a node. Volumes that no claim is bound to are left out.</summary>
    Task<IReadOnlyList<VolumeGroup>> FindGroupsAsync(
        string node, IReadOnlyList<VolumeRecord> volumes, CancellationToken cancellationToken);

    /// <summary>Where the pods of a group could run, apart from room for its volumes.</summary>
    Task<IReadOnlyList<PodPlace>> FindPlacesAsync(VolumeGroup group, CancellationToken cancellationToken);

    /// <summary>Binds the volume's PersistentVolume to the node that holds it now; what that was, for its history.</summary>
    Task<string> RehomeAsync(VolumeRecord volume, Func<string, Task> remember, CancellationToken cancellationToken);

    /// <summary>Removes pods of a node from the API, so that their successors can start. A pod of another uid is left alone.</summary>
    /// <param name="pods">The pods.</param>
    /// <param name="force">The node cannot say any more that they have ended.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <returns>How many were there.</returns>
    Task<int> ReleaseAsync(IReadOnlyList<VolumePod> pods, bool force, CancellationToken cancellationToken);

    /// <summary>What operators asked for and was not answered yet.</summary>
    IReadOnlyList<VolumeRequest> Requests { get; }

    /// <summary>A request was taken up or refused: it is not asked for again.</summary>
    Task AnswerAsync(VolumeRequest request, CancellationToken cancellationToken);

    /// <summary>
    /// Why pods may not be evicted now, because a budget (Kubernetes: PodDisruptionBudget) forbids it; empty when they may.
    /// </summary>
    Task<string> FindEvictionObstacleAsync(IReadOnlyList<VolumePod> pods, CancellationToken cancellationToken);

    /// <summary>Ends pods as a drain does, with their grace period and within their budgets; returns before they have ended.</summary>
    /// <exception cref="Errors.StorageException">Unavailable while a budget forbids it.</exception>
    Task EvictAsync(IReadOnlyList<VolumePod> pods, CancellationToken cancellationToken);

    /// <summary>Tells people, where they look: on the pods, the claims and the node. Never holds up and never fails.</summary>
    void Tell(FailoverNotice notice);
}

/// <summary>Something to tell people.</summary>
/// <param name="Reason">What happened, in one word (Kubernetes: an Event's reason).</param>
/// <param name="Message">The whole story in a sentence or two.</param>
/// <param name="Warning">Whether somebody should look.</param>
public sealed record FailoverNotice(string Reason, string Message, bool Warning)
{
    /// <summary>The node that it is about; empty when it is about none.</summary>
    public string NodeName { get; init; } = "";

    public IReadOnlyList<VolumeRecord> Volumes { get; init; } = [];

    public IReadOnlyList<VolumePod> Pods { get; init; } = [];
}
