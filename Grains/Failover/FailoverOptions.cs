namespace Carina.Grains.Failover;

/// <summary>
/// What an operator decides about failover: <c>failover</c> in <c>config.json</c>. A change counts from the next second on.
/// </summary>
public sealed record FailoverOptions
{
    /// <summary>The off switch: false begins nothing; what has been handed over already is finished.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>Says what would be done, and does not do it.</summary>
    public bool DryRun { get; init; }

    /// <summary>
    /// More than this share of the nodes lost at once is not believed: nothing is moved. Never above one half, on which
    /// nodes rely that cannot reach the API server.
    /// </summary>
    public int MaxLostNodesPercent { get; init; } = MostLostNodesPercent;

    /// <summary>Largest value of <see cref="MaxLostNodesPercent"/>.</summary>
    public const int MostLostNodesPercent = 50;

    /// <summary>A volume that has just been moved is not moved again before this has passed.</summary>
    public TimeSpan Cooldown { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Volumes of a node that somebody cordoned are left where they are: it is being worked on.</summary>
    public bool SkipCordonedNodes { get; init; } = true;

    /// <summary>How long copies are kept that moves left behind; null until somebody deletes them.</summary>
    public TimeSpan? CopyRetention { get; init; }

    /// <summary>
    /// A node counts as lost as soon as silo, lease and kubelet are all silent, without waiting for Kubernetes to say that it
    /// is not ready.
    /// </summary>
    public bool FastDetection { get; init; }

    /// <summary>What has to be known of a volume's old node, where its StorageClass does not say (<see cref="CarinaNames.HandOver"/>).</summary>
    public HandOver HandOver { get; init; } = HandOver.Lapsed;

    /// <summary>Added to a lease's duration before it counts as lapsed.</summary>
    public TimeSpan LeaseMargin { get; init; } = TimeSpan.FromSeconds(1);
}
