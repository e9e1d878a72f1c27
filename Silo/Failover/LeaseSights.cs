using k8s.Models;

namespace Carina.Silo.Failover;

/// <summary>
/// How long leases have not changed, by this process' own clock and with the API server answering all the time. Nobody's
/// wall clock counts, and what was missed while the API server was silent is not held against anybody.
/// </summary>
internal sealed class LeaseSights(TimeProvider time)
{
    /// <summary>
    /// Longest time between two answers of the API server that still counts as watching. A node gets back to it when it
    /// can be reached again, and needs that long to renew.
    /// </summary>
    public static readonly TimeSpan LongestGap = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, Sight> _seen = new(StringComparer.Ordinal);
    private long? _lastAnswer;

    private sealed record Sight(string Version, long Since, V1Lease Lease);

    /// <summary>Time since the last answer; null before the first.</summary>
    public TimeSpan? Age => _lastAnswer is { } last ? time.GetElapsedTime(last) : null;

    /// <summary>Takes in an answer, and says of each lease for how long it certainly has not changed.</summary>
    /// <param name="leases">All there are, by what they are known by.</param>
    /// <param name="asked">When the API server was asked: the answer may be from any moment after that.</param>
    public IReadOnlyDictionary<string, (V1Lease Lease, TimeSpan Silence)> Take(
        IEnumerable<(string Key, V1Lease Lease)> leases, long asked)
    {
        var now = time.GetTimestamp();
        if (_lastAnswer is { } last && time.GetElapsedTime(last, now) > LongestGap)
        {
            _seen.Clear();
        }

        _lastAnswer = now;
        var present = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (key, lease) in leases)
        {
            present.Add(key);
            var version = $"{lease.Metadata.Uid}/{lease.Spec?.HolderIdentity}/{lease.Spec?.RenewTime:O}";
            _seen[key] = _seen.TryGetValue(key, out var before) && before.Version == version
                ? before with { Lease = lease }
                : new(version, now, lease);
        }

        foreach (var gone in _seen.Keys.Where(key => !present.Contains(key)).ToList())
        {
            _seen.Remove(gone);
        }

        return _seen.ToDictionary(s => s.Key, s => (s.Value.Lease, Silence(s.Value, asked)), StringComparer.Ordinal);
    }

    private TimeSpan Silence(Sight sight, long asked) =>
        sight.Since < asked ? time.GetElapsedTime(sight.Since, asked) : TimeSpan.Zero;
}
