using System.Collections.Concurrent;
using Microsoft.Extensions.Options;

namespace Carina.Silo.Membership.Patience;

/// <summary>
/// Does not take silence for death at once. A silo that does not answer probes while its machine still accepts connections
/// for it is short of processor time, or hangs: votes against it count only after <see cref="PatienceOptions.Patience"/>.
/// One whose machine is silent, or whose port nobody holds, is declared dead without delay.
/// </summary>
/// <remarks>
/// To Orleans a vote that does not count looks like one that lost against another writer: it votes again after the next
/// probe that failed (MembershipTableManager, "we will retry later").
/// </remarks>
internal sealed partial class SiloPatience(
    ISiloDoor door,
    ILocalSiloDetails self,
    IOptions<PatienceOptions> options,
    TimeProvider time,
    ILogger<SiloPatience> logger)
{
    /// <summary>Suspicions further apart than this are not of one stall. Probes fail about once a second.</summary>
    private static readonly TimeSpan _sameStall = TimeSpan.FromSeconds(15);

    private readonly ConcurrentDictionary<SiloAddress, (long First, long Last)> _suspected = new();

    /// <summary>Whether a change of a row is a vote that does not count yet.</summary>
    /// <param name="entry">The row as it is to be. Of another silo's, Orleans changes nothing but who suspects it, and that it is dead.</param>
    /// <param name="members">All rows' silos.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public async Task<bool> HoldsBackAsync(
        MembershipEntry entry, IEnumerable<SiloAddress> members, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(entry);
        var silo = entry.SiloAddress;
        if (IsOurs(silo) || IsOrder(entry))
        {
            return false;
        }

        var now = time.GetTimestamp();
        var suspected = _suspected.AddOrUpdate(
            silo,
            _ => (now, now),
            (_, before) => time.GetElapsedTime(before.Last, now) > _sameStall ? (now, now) : (before.First, now));
        var since = time.GetElapsedTime(suspected.First, now);
        if (since < options.Value.Patience && !IsReplaced(silo, members)
            && await door.IsThereAsync(silo.Endpoint, cancellationToken))
        {
            LogWaits(silo, since, options.Value.Patience);
            return true;
        }

        _suspected.TryRemove(silo, out _);
        return false;
    }

    // At our own endpoint there is nobody else: it is a process that was here before.
    private bool IsOurs(SiloAddress silo) => silo.Endpoint.Equals(self.SiloAddress.Endpoint);

    // TryKill (a pod or node was deleted) adds its author alone; a death by votes names the last voter twice.
    private static bool IsOrder(MembershipEntry entry) =>
        entry.Status == SiloStatus.Dead && (entry.SuspectTimes?.Count ?? 0) <= 1;

    /// <summary>Whether the one who answers there is a later process.</summary>
    private static bool IsReplaced(SiloAddress silo, IEnumerable<SiloAddress> members) =>
        members.Any(m => m.Endpoint.Equals(silo.Endpoint) && m.Generation > silo.Generation);

    [LoggerMessage(1, LogLevel.Warning,
        "Silo {Silo} does not answer, but its machine does: it is short of processor time or hangs. Suspected for {Since}; declared dead after {Patience}")]
    private partial void LogWaits(SiloAddress silo, TimeSpan since, TimeSpan patience);
}
