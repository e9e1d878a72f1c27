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
internal sealed partial class PatientMembershipTable(
    IMembershipTable table,
    ISiloDoor door,
    ILocalSiloDetails self,
    IOptions<PatienceOptions> options,
    TimeProvider time,
    ILogger<PatientMembershipTable> logger) : IMembershipTable
{
    /// <summary>Suspicions further apart than this are not of one stall. Probes fail about once a second.</summary>
    private static readonly TimeSpan _sameStall = TimeSpan.FromSeconds(15);

    private readonly ConcurrentDictionary<SiloAddress, (long First, long Last)> _suspected = new();

    public async Task<bool> UpdateRowAsync(
        MembershipEntry entry, string etag, TableVersion tableVersion, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(entry);

        // Of another silo's row Orleans changes nothing but who suspects it, and that it is dead.
        return (IsOurs(entry.SiloAddress) || IsOrder(entry) || !await IsToBeWaitedForAsync(entry.SiloAddress, cancellationToken))
            && await table.UpdateRowAsync(entry, etag, tableVersion, cancellationToken);
    }

    public Task InitializeMembershipTableAsync(bool tryInitTableVersion, CancellationToken cancellationToken = default) =>
        table.InitializeMembershipTableAsync(tryInitTableVersion, cancellationToken);

    public Task<MembershipTableData> ReadAllAsync(CancellationToken cancellationToken = default) =>
        table.ReadAllAsync(cancellationToken);

    public Task<MembershipTableData> ReadRowAsync(SiloAddress key, CancellationToken cancellationToken = default) =>
        table.ReadRowAsync(key, cancellationToken);

    public Task<bool> InsertRowAsync(
        MembershipEntry entry, TableVersion tableVersion, CancellationToken cancellationToken = default) =>
        table.InsertRowAsync(entry, tableVersion, cancellationToken);

    public Task UpdateIAmAliveAsync(MembershipEntry entry, CancellationToken cancellationToken = default) =>
        table.UpdateIAmAliveAsync(entry, cancellationToken);

    public Task CleanupDefunctSiloEntriesAsync(DateTimeOffset beforeDate, CancellationToken cancellationToken = default) =>
        table.CleanupDefunctSiloEntriesAsync(beforeDate, cancellationToken);

    public Task DeleteMembershipTableEntriesAsync(string clusterId, CancellationToken cancellationToken = default) =>
        table.DeleteMembershipTableEntriesAsync(clusterId, cancellationToken);

    Task IMembershipTable.InitializeMembershipTable(bool tryInitTableVersion) =>
        InitializeMembershipTableAsync(tryInitTableVersion);

    Task IMembershipTable.DeleteMembershipTableEntries(string clusterId) => DeleteMembershipTableEntriesAsync(clusterId);

    Task IMembershipTable.CleanupDefunctSiloEntries(DateTimeOffset beforeDate) =>
        CleanupDefunctSiloEntriesAsync(beforeDate);

    Task<MembershipTableData> IMembershipTable.ReadRow(SiloAddress key) => ReadRowAsync(key);

    Task<MembershipTableData> IMembershipTable.ReadAll() => ReadAllAsync();

    Task<bool> IMembershipTable.InsertRow(MembershipEntry entry, TableVersion tableVersion) =>
        InsertRowAsync(entry, tableVersion);

    Task<bool> IMembershipTable.UpdateRow(MembershipEntry entry, string etag, TableVersion tableVersion) =>
        UpdateRowAsync(entry, etag, tableVersion);

    Task IMembershipTable.UpdateIAmAlive(MembershipEntry entry) => UpdateIAmAliveAsync(entry);

    // At our own endpoint there is nobody else: it is a process that was here before.
    private bool IsOurs(SiloAddress silo) => silo.Endpoint.Equals(self.SiloAddress.Endpoint);

    // TryKill (a pod or node was deleted) adds its author alone; a death by votes names the last voter twice.
    private static bool IsOrder(MembershipEntry entry) =>
        entry.Status == SiloStatus.Dead && (entry.SuspectTimes?.Count ?? 0) <= 1;

    private async Task<bool> IsToBeWaitedForAsync(SiloAddress silo, CancellationToken cancellationToken)
    {
        var now = time.GetTimestamp();
        var suspected = _suspected.AddOrUpdate(
            silo,
            _ => (now, now),
            (_, before) => time.GetElapsedTime(before.Last, now) > _sameStall ? (now, now) : (before.First, now));
        var since = time.GetElapsedTime(suspected.First, now);
        if (since < options.Value.Patience
            && await door.IsThereAsync(silo.Endpoint, cancellationToken)
            && !await IsReplacedAsync(silo, cancellationToken))
        {
            LogWaits(silo, since, options.Value.Patience);
            return true;
        }

        _suspected.TryRemove(silo, out _);
        return false;
    }

    /// <summary>Whether the one who answers there is a later process.</summary>
    private async Task<bool> IsReplacedAsync(SiloAddress silo, CancellationToken cancellationToken)
    {
        var all = await table.ReadAllAsync(cancellationToken);
        return all.Members.Any(m =>
            m.Item1.SiloAddress.Endpoint.Equals(silo.Endpoint) && m.Item1.SiloAddress.Generation > silo.Generation);
    }

    [LoggerMessage(1, LogLevel.Warning,
        "Silo {Silo} does not answer, but its machine does: it is short of processor time or hangs. Suspected for {Since}; declared dead after {Patience}")]
    private partial void LogWaits(SiloAddress silo, TimeSpan since, TimeSpan patience);
}
