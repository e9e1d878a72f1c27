namespace Carina.Webhook.Certificates;

/// <summary>Where certificates are kept.</summary>
internal interface ICertificateStore
{
    /// <summary>How often to look when nothing tells of changes; null when something does.</summary>
    TimeSpan? CheckInterval { get; }

    /// <summary>Reads what is there now, not what was seen last.</summary>
    Task<StoredCertificates> ReadAsync(CancellationToken cancellationToken);
}

/// <summary>Certificates as kept.</summary>
/// <param name="Place">Where, for people.</param>
/// <param name="Data">Contents by name; empty when there is nothing.</param>
/// <param name="ChangedAt">When we changed them last; the distant past when we never did.</param>
/// <param name="ReplaceAsync">
/// Replaces them unless somebody was faster (false). Null when they are somebody else's to write.
/// </param>
internal sealed record StoredCertificates(
    string Place,
    IReadOnlyDictionary<string, byte[]> Data,
    DateTimeOffset ChangedAt,
    Func<IReadOnlyDictionary<string, byte[]>, CancellationToken, Task<bool>>? ReplaceAsync);
