using Carina.Grains.Agents;
using Carina.Grains.Errors;

namespace Carina.Silo.Fencing.Leases;

/// <summary>Writes nodes' leases to the API server.</summary>
internal interface INodeLeases
{
    /// <summary>
    /// Writes this node's renewal. When this returns, no renewal with an earlier time takes effect any more, whoever
    /// sent it.
    /// </summary>
    /// <exception cref="StorageException">Unavailable when the API server does not answer; anything else is its refusal.</exception>
    Task RenewAsync(NodeLeaseRenewal renewal, CancellationToken cancellationToken);

    /// <summary>As <see cref="RenewAsync"/>, for another node. Who found the API server silent just now need not ask again.</summary>
    Task<LeaseRenewalOutcome> RenewForAsync(NodeLeaseRenewal renewal, CancellationToken cancellationToken);

    /// <summary>When this node's lease was last renewed, by the clock of who did it; null when there is none.</summary>
    Task<DateTimeOffset?> FindLastAsync(string nodeName, CancellationToken cancellationToken);
}

/// <summary>Where there is no API server, there are no leases.</summary>
internal sealed class NoNodeLeases : INodeLeases
{
    public Task RenewAsync(NodeLeaseRenewal renewal, CancellationToken cancellationToken) => throw None();

    public Task<LeaseRenewalOutcome> RenewForAsync(NodeLeaseRenewal renewal, CancellationToken cancellationToken) => throw None();

    public Task<DateTimeOffset?> FindLastAsync(string nodeName, CancellationToken cancellationToken) => throw None();

    private static StorageException None() => new(StorageErrorCode.FailedPrecondition, "This silo keeps nothing in Kubernetes.");
}
