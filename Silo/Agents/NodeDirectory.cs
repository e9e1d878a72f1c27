using Carina.Grains.Nodes;

namespace Carina.Silo.Agents;

/// <summary>Live nodes by Orleans' membership: a node's silo bears the node's name.</summary>
internal sealed class NodeDirectory(IClusterMembershipService membership) : INodeDirectory
{
    /// <summary>Starts the names of silos that are no node's; no Kubernetes node name can contain the slash.</summary>
    public const string ControllerPrefix = "controller/";

    public IReadOnlyCollection<string> LiveNodes =>
    [
        .. membership.CurrentSnapshot.Members.Values
            .Where(m => m.Status == SiloStatus.Active && !m.Name.Contains('/', StringComparison.Ordinal))
            .Select(m => m.Name)
            .Distinct(StringComparer.Ordinal),
    ];

    /// <summary>All active silos: name (see <see cref="ControllerPrefix"/>) and address.</summary>
    public IReadOnlyList<(string Name, SiloAddress Address)> LiveSilos =>
        [.. membership.CurrentSnapshot.Members.Values.Where(m => m.Status == SiloStatus.Active).Select(m => (m.Name, m.SiloAddress))];

    /// <summary>Address of the node's active silo, the newest incarnation if there are two; null when there is none.</summary>
    public SiloAddress? FindAgent(string node) => membership.CurrentSnapshot.Members.Values
        .Where(m => m.Status == SiloStatus.Active && m.Name == node)
        .MaxBy(m => m.SiloAddress.Generation)
        ?.SiloAddress;
}
