using System.Text.Json.Serialization;

namespace Carina.Silo.Membership;

/// <summary>
/// A cluster's membership table as one document: version and all rows change together or not at all, which is what the
/// extended membership protocol asks of a table.
/// </summary>
public sealed record MembershipDocument
{
    /// <summary>Version of the table; increases by one with every change of a row.</summary>
    [JsonPropertyName("version")]
    public int Version { get; init; }

    /// <summary>Rows by silo address in its parsable form.</summary>
    [JsonPropertyName("rows")]
    public IReadOnlyDictionary<string, MembershipRow> Rows { get; init; } = new Dictionary<string, MembershipRow>();
}

/// <summary>One silo's row. Its heartbeat is kept elsewhere, so that beating does not change the document.</summary>
public sealed record MembershipRow
{
    [JsonPropertyName("etag")]
    public required string ETag { get; init; }

    [JsonPropertyName("status")]
    public required string Status { get; init; }

    [JsonPropertyName("siloName")]
    public required string SiloName { get; init; }

    [JsonPropertyName("hostName")]
    public required string HostName { get; init; }

    [JsonPropertyName("proxyPort")]
    public required int ProxyPort { get; init; }

    [JsonPropertyName("roleName")]
    public string? RoleName { get; init; }

    [JsonPropertyName("startTime")]
    public required DateTime StartTime { get; init; }

    [JsonPropertyName("iAmAliveTime")]
    public required DateTime IAmAliveTime { get; init; }

    /// <summary>Who suspected it, and when.</summary>
    [JsonPropertyName("suspects")]
    public IReadOnlyList<MembershipSuspicion> Suspects { get; init; } = [];

    public static MembershipRow From(MembershipEntry entry, string etag) => new()
    {
        ETag = etag,
        Status = entry.Status.ToString(),
        SiloName = entry.SiloName ?? "",
        HostName = entry.HostName ?? "",
        ProxyPort = entry.ProxyPort,
        RoleName = entry.RoleName,
        StartTime = entry.StartTime,
        IAmAliveTime = entry.IAmAliveTime,
        Suspects =
        [
            .. (entry.SuspectTimes ?? []).Select(s => new MembershipSuspicion(s.Item1.ToParsableString(), s.Item2)),
        ],
    };

    public MembershipEntry ToEntry(string address, DateTime? heartbeat) => new()
    {
        SiloAddress = SiloAddress.FromParsableString(address),
        Status = Enum.Parse<SiloStatus>(Status),
        SiloName = SiloName,
        HostName = HostName,
        ProxyPort = ProxyPort,
        RoleName = RoleName,
        StartTime = StartTime,
        IAmAliveTime = heartbeat > IAmAliveTime ? heartbeat.Value : IAmAliveTime,
        SuspectTimes = [.. Suspects.Select(s => Tuple.Create(SiloAddress.FromParsableString(s.Silo), s.Time))],
    };
}

/// <summary>A vote that a silo is dead.</summary>
public sealed record MembershipSuspicion(
    [property: JsonPropertyName("silo")] string Silo, [property: JsonPropertyName("time")] DateTime Time);
