namespace Carina.Webhook.Scheduling;

/// <summary>How the scheduler extender answers.</summary>
public sealed class SchedulingOptions
{
    /// <summary>
    /// Largest request. With <c>nodeCacheCapable: false</c> the scheduler sends every Node object, some 10 KiB each.
    /// </summary>
    public long MaxRequestBytes { get; set; } = 64L << 20;

    /// <summary>Time for an answer; below the scheduler's default of 5 seconds, so that it hears why there is none.</summary>
    public TimeSpan AnswerTimeout { get; set; } = TimeSpan.FromSeconds(4);

    /// <summary>How long one node's ledger may take; then the node counts as one that does not answer.</summary>
    public TimeSpan LedgerPatience { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// How long what the ledgers said may be used, for bursts of pods. Volumes that are made in this time through the
    /// scheduler are known from their claims; others are met by the ledger itself.
    /// </summary>
    public TimeSpan CapacityAge { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// How long a pod's volumes are counted on the node that it probably goes to, without a sign that it does. Schedulers
    /// write 50 objects a second by default, so after a burst of pods the annotation takes seconds.
    /// </summary>
    public TimeSpan TentativeLifetime { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Most pods that are remembered in this way; the oldest give way.</summary>
    public int MaxTentativePods { get; set; } = 4096;

    /// <summary>
    /// How many nodes are told of one by one. The scheduler writes all messages into the pod's condition, where equal
    /// ones are counted.
    /// </summary>
    public int DetailedNodes { get; set; } = 20;
}
