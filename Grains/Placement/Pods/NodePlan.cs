namespace Carina.Grains.Placement.Pods;

/// <summary>What becomes of a pod's volumes on one node.</summary>
public sealed record NodePlan
{
    public required string NodeName { get; init; }

    /// <summary>What stands in the way; null when nothing does.</summary>
    public Obstacle? Obstacle { get; init; }

    /// <summary>Where each part would go. Empty when they do not fit, or when there is nothing to make.</summary>
    public IReadOnlyList<PartPlacement> Placements { get; init; } = [];

    /// <summary>How well it suits, by the strategy, 0 to 100; comparable between nodes for the same pod only.</summary>
    public double Suitability { get; init; }

    public bool Fits => Obstacle is null;
}

/// <summary>Why a pod's volumes cannot be on a node.</summary>
/// <param name="Reason">What is missing there, in numbers; continues a sentence that begins with the node.</param>
/// <param name="Permanent">No pod that leaves the node could change it.</param>
public sealed record Obstacle(string Reason, bool Permanent)
{
    /// <summary>The reason without what differs between nodes, for clusters with too many of them to list.</summary>
    public string Summary { get; init; } = Reason;
}

/// <summary>A part of a volume in a pool.</summary>
/// <param name="Claim">The claim.</param>
/// <param name="Pool">The pool.</param>
/// <param name="Bytes">Bytes it takes there, in whole units of the pool.</param>
public sealed record PartPlacement(string Claim, string Pool, long Bytes);
