using System.Text.Json;
using System.Text.Json.Serialization;

namespace Carina.Silo.Membership;

/// <summary>
/// A cluster's membership table as one document: version and all rows change together or not at all, which is what the
/// extended membership protocol asks of a table.
/// </summary>
internal sealed record MembershipDocument
{
    /// <summary>Version of the table; increases by one with every change of a row.</summary>
    [JsonPropertyName("version")]
    public int Version { get; init; }

    /// <summary>Rows by silo address in its parsable form.</summary>
    [JsonPropertyName("rows")]
    public IReadOnlyDictionary<string, MembershipRow> Rows { get; init; } = new Dictionary<string, MembershipRow>();
}

/// <summary>One silo's row. Its heartbeat is kept elsewhere, so that beating does not change the document.</summary>
internal sealed record MembershipRow
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
    [JsonConverter(typeof(ExactTimeConverter))]
    public required DateTime StartTime { get; init; }

    [JsonPropertyName("iAmAliveTime")]
    [JsonConverter(typeof(ExactTimeConverter))]
    public required DateTime IAmAliveTime { get; init; }

    /// <summary>Who suspected it, and when.</summary>
    [JsonPropertyName("suspects")]
    public IReadOnlyList<MembershipSuspicion> Suspects { get; init; } = [];

    /// <summary>The pod that the silo runs in, where there are pods.</summary>
    [JsonPropertyName("pod")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public MembershipPod? Pod { get; init; }

    /// <summary>What a newer version of the driver keeps here; it survives our writes.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? More { get; init; }

    /// <summary>A row as Orleans wants it, with what Orleans knows nothing of taken over from the row before.</summary>
    public static MembershipRow From(MembershipEntry entry, string etag, MembershipPod? pod, MembershipRow? before) => new()
    {
        Pod = before is null ? pod : before.Pod,
        More = before?.More,
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

    /// <summary>The row as Orleans wants it.</summary>
    /// <exception cref="InvalidDataException">Somebody edited it to something that is no row.</exception>
    public MembershipEntry ToEntry(string address, DateTime? heartbeat)
    {
        try
        {
            return Read(address, heartbeat);
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or OverflowException or IndexOutOfRangeException)
        {
            throw new InvalidDataException(
                $"Row '{address}' of the membership table (status '{Status}') is not one that a silo writes: {exception.Message} Correct or remove it; until then this cluster notices no change of its members.",
                exception);
        }
    }

    private MembershipEntry Read(string address, DateTime? heartbeat) => new()
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
internal sealed record MembershipSuspicion(
    [property: JsonPropertyName("silo")] string Silo,
    [property: JsonPropertyName("time"), JsonConverter(typeof(ExactTimeConverter))] DateTime Time);
