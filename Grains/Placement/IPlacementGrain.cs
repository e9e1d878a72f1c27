using Carina.Grains.Nodes;

namespace Carina.Grains.Placement;

/// <summary>Capacity across all live nodes: a read model, never authoritative. Key 0; any number of activations.</summary>
[Alias("carina.IPlacementGrain")]
public interface IPlacementGrain : IGrainWithIntegerKey
{
    /// <summary>Nodes and pools that fit, best first.</summary>
    [Alias("Rank")]
    Task<PlacementRanking> RankAsync(PlacementRequest request, CancellationToken cancellationToken);

    /// <summary>What could be provisioned right now.</summary>
    [Alias("GetCapacity")]
    Task<AvailableCapacity> GetCapacityAsync(CapacityQuery query, CancellationToken cancellationToken);

    /// <summary>Capacity of every live node, by name.</summary>
    [Alias("GetNodes")]
    Task<IReadOnlyList<NodeCapacity>> GetNodesAsync(CancellationToken cancellationToken);

    /// <summary>
    /// As <see cref="GetNodesAsync(CancellationToken)"/>, with <see cref="NodeCapacity.Promised"/> for volumes that are
    /// awaited on nodes. Ledgers that take longer than <paramref name="patience"/> are left out.
    /// </summary>
    /// <param name="awaited">Volume ids by node.</param>
    /// <param name="patience">How long to wait for each.</param>
    /// <param name="cancellationToken">Ends all of it.</param>
    [Alias("GetNodesAwaiting")]
    Task<IReadOnlyList<NodeCapacity>> GetNodesAsync(
        Dictionary<string, List<string>> awaited, TimeSpan patience, CancellationToken cancellationToken);
}

/// <summary>A question for a place.</summary>
[GenerateSerializer]
[Alias("carina.PlacementRequest")]
public sealed record PlacementRequest
{
    /// <summary>Bytes at least.</summary>
    [Id(0)]
    public required long Bytes { get; init; }

    /// <summary>Bytes at most; 0 means no limit.</summary>
    [Id(1)]
    public required long LimitBytes { get; init; }

    /// <summary>Pool asked for; empty means any.</summary>
    [Id(2)]
    public required string Pool { get; init; }

    /// <summary>Topology segments of which one must match; empty means anywhere.</summary>
    [Id(3)]
    public required List<Dictionary<string, string>> Requisite { get; init; }

    /// <summary>Topology segments in order of preference.</summary>
    [Id(4)]
    public required List<Dictionary<string, string>> Preferred { get; init; }
}

/// <summary>Places that fit, best first, and for people why the others do not.</summary>
[GenerateSerializer]
[Alias("carina.PlacementRanking")]
public sealed record PlacementRanking(
    [property: Id(0)] IReadOnlyList<PlacementCandidate> Candidates,
    [property: Id(1)] IReadOnlyList<string> Refusals)
{
    /// <summary>Nodes that could have matched, but whose ledgers did not answer: not full, unknown.</summary>
    [Id(2)]
    public IReadOnlyList<string> Silent { get; init; } = [];
}

/// <summary>One place.</summary>
[GenerateSerializer]
[Alias("carina.PlacementCandidate")]
public sealed record PlacementCandidate(
    [property: Id(0)] string NodeName,
    [property: Id(1)] string Pool,
    [property: Id(2)] Configuration.PoolPolicy Policy,
    [property: Id(3)] long AvailableBytes);

/// <summary>A question for capacity.</summary>
/// <param name="Pool">Pool asked for; empty means any.</param>
/// <param name="Segments">Topology segment that nodes must match; empty means all nodes.</param>
[GenerateSerializer]
[Alias("carina.CapacityQuery")]
public sealed record CapacityQuery(
    [property: Id(0)] string Pool,
    [property: Id(1)] Dictionary<string, string> Segments);

/// <summary>Capacity in bytes.</summary>
/// <param name="AvailableBytes">Sum over the pools that match.</param>
/// <param name="MaximumVolumeBytes">Largest single volume.</param>
/// <param name="MinimumVolumeBytes">Smallest volume.</param>
[GenerateSerializer]
[Alias("carina.AvailableCapacity")]
public sealed record AvailableCapacity(
    [property: Id(0)] long AvailableBytes,
    [property: Id(1)] long MaximumVolumeBytes,
    [property: Id(2)] long MinimumVolumeBytes);
