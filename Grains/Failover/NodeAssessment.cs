namespace Carina.Grains.Failover;

/// <summary>What failover makes of a node.</summary>
/// <param name="Node">The node as observed.</param>
/// <param name="Lost">Why its volumes are to be moved; empty when they are not.</param>
/// <param name="Spared">Why they are not moved although it is lost; empty when nothing speaks against it.</param>
public sealed record NodeVerdict(ObservedNode Node, string Lost, string Spared)
{
    public bool IsLost => Lost.Length > 0;
}

/// <summary>Judges nodes. Pure: the same observations give the same verdicts.</summary>
public static class NodeAssessment
{
    /// <summary>A verdict for each node.</summary>
    public static IReadOnlyList<NodeVerdict> Assess(IReadOnlyList<ObservedNode> nodes, FailoverOptions options)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        ArgumentNullException.ThrowIfNull(options);
        return [.. nodes.Select(node => Assess(node, options))];
    }

    /// <summary>
    /// Why so many nodes look lost that something else is wrong; empty when it is believable. What counts as lost here
    /// is more than what is acted upon: a node that is silent in any way.
    /// </summary>
    /// <remarks>
    /// A node that cannot reach the API server goes on while more than half of all nodes say the same
    /// (Silo/Fencing/Leases); hence lapsed leases count however old they are, and the limit is one half at most. Only an
    /// operator's word that a machine is off takes it out of the count.
    /// </remarks>
    public static string FindStorm(IReadOnlyList<ObservedNode> nodes, FailoverOptions options)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        ArgumentNullException.ThrowIfNull(options);
        var known = nodes.Where(n => !n.OutOfService).ToList();
        var silent = known.Where(n => IsSilent(n, options)).Select(n => n.Name).ToList();
        var percent = Math.Min(options.MaxLostNodesPercent, FailoverOptions.MostLostNodesPercent);

        return silent.Count * 100 > known.Count * percent
            ? $"{silent.Count} of {known.Count} nodes look lost ({string.Join(", ", silent.Take(10))}), more than the {percent} % that are believed"
            : "";
    }

    private static NodeVerdict Assess(ObservedNode node, FailoverOptions options)
    {
        var lost = FindLoss(node);
        return new(node, lost, lost.Length > 0 ? FindExcuse(node, options) : "");
    }

    private static string FindLoss(ObservedNode node) => node switch
    {
        { Exists: false } => "its Node object was deleted",
        { OutOfService: true } => "an operator marked it out of service",
        { Ready: false } => "it is not ready",
        _ => "",
    };

    private static string FindExcuse(ObservedNode node, FailoverOptions options) =>
        node is { InMaintenance: true, OutOfService: false } && options.SkipCordonedNodes
            ? "it is cordoned or in maintenance, so somebody is working on it"
            : "";

    private static bool IsSilent(ObservedNode node, FailoverOptions options) =>
        (node.Exists && !node.Ready) || node.Lease?.HasLapsed(options.LeaseMargin) == true;
}
