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
    /// <summary>
    /// Silence after which a node without a Node object is not counted any more. By then its own count of nodes, if it
    /// still has one, has long come to nothing: its guarded volumes are cut off.
    /// </summary>
    public static readonly TimeSpan ForgottenAfter = TimeSpan.FromMinutes(10);

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
    /// (Silo/Fencing/Leases); hence lapsed leases count however old they are, and the limit is one half at most, also of
    /// those that have a lease: the others do not vote. Only an operator's word that a machine is off takes it out of the
    /// count. Who acts on the first lapse cannot wait for the others', so with fast detection those count that are overdue.
    /// </remarks>
    public static string FindStorm(IReadOnlyList<ObservedNode> nodes, FailoverOptions options)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        ArgumentNullException.ThrowIfNull(options);
        var known = nodes.Where(n => !n.OutOfService && !IsForgotten(n)).ToList();
        var all = FindStormAmong(known, options);
        return all.Length > 0 ? all : FindStormAmong([.. known.Where(n => n.Lease is not null)], options);
    }

    private static string FindStormAmong(List<ObservedNode> nodes, FailoverOptions options)
    {
        var silent = nodes.Where(n => IsSilent(n, options)).Select(n => n.Name).ToList();
        var percent = Math.Min(options.MaxLostNodesPercent, FailoverOptions.MostLostNodesPercent);
        return silent.Count * 100 > nodes.Count * percent
            ? $"{silent.Count} of {nodes.Count} nodes look lost ({string.Join(", ", silent.Take(10))}), more than the {percent} % that are believed"
            : "";
    }

    private static NodeVerdict Assess(ObservedNode node, FailoverOptions options)
    {
        var lost = FindLoss(node, options);
        return new(node, lost, lost.Length > 0 ? FindExcuse(node, options) : "");
    }

    private static string FindLoss(ObservedNode node, FailoverOptions options) => node switch
    {
        { Exists: false } => "its Node object was deleted",
        { OutOfService: true } => "an operator marked it out of service",
        { Ready: false } => "it is not ready",
        { SiloLive: false, Lease: { Guarded: true } lease, Kubelet: { IsSilent: true } kubelet }
            when options.FastDetection && lease.HasLapsed(options.LeaseMargin) =>
            $"its silo is gone, its lease has lapsed and its kubelet is silent for {kubelet.Silence.TotalSeconds:0} s",
        _ => "",
    };

    private static string FindExcuse(ObservedNode node, FailoverOptions options) =>
        node is { InMaintenance: true, OutOfService: false } && options.SkipCordonedNodes
            ? "it is cordoned or in maintenance, so somebody is working on it"
            : "";

    // Taken out of the cluster; nothing but its lease is left, and leases of such nodes must not add up for years.
    private static bool IsForgotten(ObservedNode node) =>
        node is { Exists: false, SiloLive: false, Lease: { } lease } && lease.Silence >= ForgottenAfter;

    private static bool IsSilent(ObservedNode node, FailoverOptions options) =>
        (node.Exists && !node.Ready) || node.Lease?.HasLapsed(options.LeaseMargin) == true
        || (options.FastDetection && node is { Lease: not null } and ({ SiloLive: false } or { Lease.IsOverdue: true }));
}
