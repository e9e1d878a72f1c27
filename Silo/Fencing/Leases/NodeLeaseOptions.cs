namespace Carina.Silo.Fencing.Leases;

/// <summary>
/// How a node keeps its lease. All of <see cref="FenceAfter"/>, and the time that a fence takes, must fit into
/// <see cref="Duration"/>; what others wait for beyond that is the margin for clocks that run at different speeds.
/// </summary>
internal sealed class NodeLeaseOptions
{
    /// <summary>Time between renewals while something is guarded.</summary>
    public TimeSpan RenewInterval { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>Guarded volumes are cut off so long after the start of the last renewal that succeeded.</summary>
    public TimeSpan FenceAfter { get; set; } = TimeSpan.FromSeconds(11);

    /// <summary>Time after which the lease lapses, while something is guarded.</summary>
    public TimeSpan Duration { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Time between renewals while nothing is guarded: the lease says only that the node is there.</summary>
    public TimeSpan IdleInterval { get; set; } = TimeSpan.FromSeconds(20);

    public TimeSpan IdleDuration { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Time between tries while renewals fail.</summary>
    public TimeSpan RetryInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest wait for the API server's answer.</summary>
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Time that the few who are asked first have for themselves, before all nodes are asked.</summary>
    public TimeSpan FirstAsked { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest wait for others; more than <see cref="RequestTimeout"/>, which each of them may need.</summary>
    public TimeSpan AskTimeout { get; set; } = TimeSpan.FromSeconds(3.5);

    /// <summary>Nodes that are asked first, beside all controllers.</summary>
    public int NodesAskedFirst { get; set; } = 3;

    /// <summary>
    /// Guarded volumes are cut off so long after a start without a renewal: time for one round. When the process before
    /// this one renewed last, nobody knows.
    /// </summary>
    public TimeSpan FirstRound { get; set; } = TimeSpan.FromSeconds(6);

    /// <summary>Time between looks at the clock while something is guarded: a timer stands still during a suspend.</summary>
    public TimeSpan Watch { get; set; } = TimeSpan.FromMilliseconds(250);

    /// <summary>Longest wait for one try to cut a volume off.</summary>
    public TimeSpan FenceLimit { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>Shortest time between two tries to lift one volume's fence.</summary>
    public TimeSpan LiftInterval { get; set; } = TimeSpan.FromSeconds(10);
}
