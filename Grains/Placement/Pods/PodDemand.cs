namespace Carina.Grains.Placement.Pods;

/// <summary>What the volumes of one pod ask of the node that it goes to; counted together, or they would not all fit.</summary>
public sealed record PodDemand
{
    /// <summary>Claims whose volumes are still to be made.</summary>
    public IReadOnlyList<ClaimDemand> Claims { get; init; } = [];

    /// <summary>Claims whose volumes exist: the pod can only go where they are.</summary>
    public IReadOnlyList<ClaimPin> Pins { get; init; } = [];

    /// <summary>Whether the pod has nothing to do with us.</summary>
    public bool IsEmpty => Claims.Count == 0 && Pins.Count == 0;
}

/// <summary>A claim whose volume exists.</summary>
/// <param name="Claim">Its name, for messages.</param>
/// <param name="NodeName">The node that holds the volume.</param>
public sealed record ClaimPin(string Claim, string NodeName);

/// <summary>A part of a volume to make, in one pool.</summary>
/// <param name="Group">The group as the StorageClass names it (see <see cref="PoolName"/>); empty means any.</param>
/// <param name="Bytes">Bytes asked for.</param>
/// <param name="Exclusive">It wants a disk to itself.</param>
public sealed record PoolDemand(string Group, long Bytes, bool Exclusive = false);

/// <summary>Claims that are on their way to a node without its ledger knowing of them yet.</summary>
/// <param name="NodeName">The node.</param>
/// <param name="Parts">What they will take there.</param>
public sealed record ExpectedDemand(string NodeName, IReadOnlyList<PoolDemand> Parts);
