using Carina.Grains.Agents;
using Carina.Silo.Agents;
using Orleans.Runtime.Services;

namespace Carina.Silo.Fencing.Leases;

/// <summary>Another silo that can renew this node's lease.</summary>
/// <param name="Name">Its name: the node's, or a controller's.</param>
/// <param name="IsNode">Whether it is a node's.</param>
/// <param name="AskAsync">Asks it.</param>
internal sealed record LeaseHelper(
    string Name, bool IsNode, Func<NodeLeaseRenewal, CancellationToken, Task<LeaseRenewalOutcome>> AskAsync);

/// <summary>The other silos that this node knows.</summary>
internal interface ILeaseHelpers
{
    /// <summary>Those that are active by this silo's view of the cluster.</summary>
    IReadOnlyList<LeaseHelper> Others { get; }
}

/// <summary><see cref="ILeaseHelpers"/> by Orleans: the agent in each silo.</summary>
internal sealed class OrleansLeaseHelpers(IServiceProvider services, NodeDirectory directory, ILocalSiloDetails self)
    : GrainServiceClient<INodeAgent>(services), ILeaseHelpers
{
    public IReadOnlyList<LeaseHelper> Others =>
    [
        .. directory.LiveSilos.Where(silo => !silo.Address.Equals(self.SiloAddress) && silo.Name != self.Name).Select(silo => new LeaseHelper(
            silo.Name,
            !silo.Name.Contains('/', StringComparison.Ordinal),
            (renewal, stop) => GetGrainService(silo.Address).RenewLeaseAsync(renewal, stop))),
    ];
}
