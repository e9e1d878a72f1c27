namespace Carina.Grains.Failover;

/// <summary>What has to be known of a volume's old node before the volume is handed over to another.</summary>
public enum HandOver
{
    /// <summary>
    /// The node's own word that it has cut the volume off, or an operator's that its machine is off. Without either the
    /// volume waits, for ever if need be.
    /// </summary>
    Fenced,

    /// <summary>
    /// Also the lapse of the node's lease, if a guard process was seen alive on the node just before the last renewal: a
    /// silo that hangs or was killed is covered, unless the guard process is too within the lease's duration.
    /// </summary>
    Guarded,

    /// <summary>Also any lapse of the lease of a node that guards the volume: its silo must have kept its word.</summary>
    Lapsed,
}

/// <summary>Reads <see cref="HandOver"/> where operators write it: <c>failover.handOver</c> and <see cref="CarinaNames.HandOver"/>.</summary>
public static class HandOverPolicy
{
    /// <summary>What can be written, the strictest first.</summary>
    public static IReadOnlyList<string> Values { get; } =
        [.. Enum.GetNames<HandOver>().Select(name => name.ToLowerInvariant())];

    /// <summary>Reads one of <see cref="Values"/>.</summary>
    public static bool TryParse(string? text, out HandOver handOver)
    {
        var index = Values.Index().Where(v => v.Item == text).Select(v => v.Index).DefaultIfEmpty(-1).First();
        handOver = (HandOver)Math.Max(0, index);
        return index >= 0;
    }

    /// <summary>A volume's own, or else the cluster's. What nobody understands (of a later version) is the strictest.</summary>
    public static HandOver Of(IReadOnlyDictionary<string, string> parameters, FailoverOptions options)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(options);
        if (!parameters.TryGetValue(CarinaNames.HandOver, out var text) || string.IsNullOrWhiteSpace(text))
        {
            return options.HandOver;
        }

        return TryParse(text.Trim(), out var own) ? own : HandOver.Fenced;
    }
}
