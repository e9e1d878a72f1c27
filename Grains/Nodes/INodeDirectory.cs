namespace Carina.Grains.Nodes;

/// <summary>Which nodes have a living agent, by the cluster's membership.</summary>
public interface INodeDirectory
{
    /// <summary>Names of nodes whose agent is active now.</summary>
    IReadOnlyCollection<string> LiveNodes { get; }
}
