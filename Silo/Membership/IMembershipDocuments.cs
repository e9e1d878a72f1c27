namespace Carina.Silo.Membership;

/// <summary>Where membership documents and heartbeats are kept: the embedded database, or the Kubernetes API.</summary>
internal interface IMembershipDocuments
{
    /// <summary>Makes an empty document for the cluster unless there is one.</summary>
    Task EnsureAsync(string clusterId, CancellationToken cancellationToken);

    /// <summary>The cluster's document and its ETag, and the heartbeats by silo address.</summary>
    Task<MembershipSnapshot> ReadAsync(string clusterId, CancellationToken cancellationToken);

    /// <summary>Replaces the document if it still has this ETag; false when somebody else was first.</summary>
    Task<bool> TryWriteAsync(
        string clusterId, MembershipDocument document, string etag, CancellationToken cancellationToken);

    /// <summary>Notes that a silo is alive, without touching the document.</summary>
    Task BeatAsync(string clusterId, string silo, DateTime time, CancellationToken cancellationToken);

    /// <summary>Forgets the heartbeats of silos that have no row any more; none is missed if there is none.</summary>
    Task ForgetBeatsAsync(string clusterId, IReadOnlyCollection<string> silos, CancellationToken cancellationToken);

    /// <summary>Removes the cluster's document and heartbeats.</summary>
    Task DeleteAsync(string clusterId, CancellationToken cancellationToken);
}

/// <summary>What one read of a membership document gives.</summary>
/// <param name="Document">Version and rows, read together.</param>
/// <param name="ETag">Opaque version of the document.</param>
/// <param name="Heartbeats">Last heartbeats by silo address.</param>
internal sealed record MembershipSnapshot(
    MembershipDocument Document, string ETag, IReadOnlyDictionary<string, DateTime> Heartbeats);
