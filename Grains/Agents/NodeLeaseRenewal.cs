namespace Carina.Grains.Agents;

/// <summary>What a node's lease is to say from now on; whoever writes it, writes the same.</summary>
[GenerateSerializer]
[Alias("carina.NodeLeaseRenewal")]
public sealed record NodeLeaseRenewal
{
    [Id(0)]
    public required string NodeName { get; init; }

    /// <summary>The silo that renews (<c>holderIdentity</c>).</summary>
    [Id(1)]
    public required string Holder { get; init; }

    /// <summary>
    /// The renewal's time by the node's clock, in whole microseconds; every renewal of a node has a later one than those
    /// before, and none replaces a later one, however late it arrives.
    /// </summary>
    [Id(2)]
    public required DateTimeOffset RenewedAt { get; init; }

    /// <summary>Time after which the lease lapses.</summary>
    [Id(3)]
    public required TimeSpan Duration { get; init; }

    /// <summary>Something on the node stops all writing to guarded volumes before the lease can have lapsed.</summary>
    [Id(4)]
    public required bool Guarded { get; init; }

    /// <summary>Volumes that the node has stopped writing to.</summary>
    [Id(5)]
    public List<string> Fenced { get; init; } = [];

    /// <summary>Who keeps that word, as seen just before.</summary>
    [Id(6)]
    public LeaseGuard Guard { get; init; }
}

/// <summary>Who on a node stops the writing to guarded volumes in time.</summary>
[GenerateSerializer]
[Alias("carina.LeaseGuard")]
public enum LeaseGuard
{
    /// <summary>Nobody but the silo itself, as far as it knows.</summary>
    Silo = 0,

    /// <summary>The guard process too.</summary>
    Process = 1,

    /// <summary>And the kernel's watchdog, which restarts the machine when the guard process falls silent.</summary>
    ProcessAndWatchdog = 2,
}

/// <summary>What became of a <see cref="NodeLeaseRenewal"/>.</summary>
[GenerateSerializer]
[Alias("carina.LeaseRenewalOutcome")]
public enum LeaseRenewalOutcome
{
    /// <summary>The API server has it.</summary>
    Renewed = 0,

    /// <summary>The silo that was asked cannot reach the API server either; whether that has it is not known.</summary>
    ApiUnreachable = 1,
}
