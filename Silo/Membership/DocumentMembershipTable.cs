using System.Globalization;
using Carina.Silo.Membership.Patience;
using Microsoft.Extensions.Options;
using Orleans.Configuration;

namespace Carina.Silo.Membership;

/// <summary>
/// Orleans' membership table over <see cref="IMembershipDocuments"/>: every mutation is one compare-and-swap on the
/// document, a conflict is an answer of false, a heartbeat changes neither version nor ETags.
/// </summary>
/// <param name="documents">Where document and heartbeats are kept.</param>
/// <param name="cluster">Names the cluster.</param>
/// <param name="pod">The pod of this process. Only a silo itself inserts its row, so an inserted row is this pod's.</param>
/// <param name="patience">Which votes against silos do not count yet; null: all do.</param>
internal sealed class DocumentMembershipTable(
    IMembershipDocuments documents, IOptions<ClusterOptions> cluster, MembershipPod? pod = null, SiloPatience? patience = null)
    : IMembershipTable
{
    private string ClusterId => cluster.Value.ClusterId;

    public Task InitializeMembershipTableAsync(bool tryInitTableVersion, CancellationToken cancellationToken = default) =>
        tryInitTableVersion ? documents.EnsureAsync(ClusterId, cancellationToken) : Task.CompletedTask;

    public async Task<MembershipTableData> ReadAllAsync(CancellationToken cancellationToken = default)
    {
        var snapshot = await documents.ReadAsync(ClusterId, cancellationToken);
        return new MembershipTableData(
            [.. snapshot.Document.Rows.Select(r => ToTuple(snapshot, r.Key, r.Value))], ToVersion(snapshot));
    }

    public async Task<MembershipTableData> ReadRowAsync(SiloAddress key, CancellationToken cancellationToken = default)
    {
        var snapshot = await documents.ReadAsync(ClusterId, cancellationToken);
        var address = key.ToParsableString();
        return snapshot.Document.Rows.TryGetValue(address, out var row)
            ? new MembershipTableData(ToTuple(snapshot, address, row), ToVersion(snapshot))
            : new MembershipTableData(ToVersion(snapshot));
    }

    public Task<bool> InsertRowAsync(
        MembershipEntry entry, TableVersion tableVersion, CancellationToken cancellationToken = default) =>
        MutateAsync(entry, rowETag: null, tableVersion, cancellationToken);

    public Task<bool> UpdateRowAsync(
        MembershipEntry entry, string etag, TableVersion tableVersion, CancellationToken cancellationToken = default) =>
        MutateAsync(entry, etag, tableVersion, cancellationToken);

    public Task UpdateIAmAliveAsync(MembershipEntry entry, CancellationToken cancellationToken = default) =>
        documents.BeatAsync(ClusterId, entry.SiloAddress.ToParsableString(), entry.IAmAliveTime, cancellationToken);

    public async Task CleanupDefunctSiloEntriesAsync(
        DateTimeOffset beforeDate, CancellationToken cancellationToken = default)
    {
        var snapshot = await documents.ReadAsync(ClusterId, cancellationToken);
        var defunct = snapshot.Document.Rows
            .Where(r => r.Value.Status == nameof(SiloStatus.Dead))
            .Where(r => LastSign(snapshot, r.Key, r.Value) < beforeDate.UtcDateTime)
            .Select(r => r.Key)
            .ToHashSet(StringComparer.Ordinal);
        // Of silos whose rows are gone already: one that was frozen meanwhile may have beaten once more.
        var stray = snapshot.Heartbeats
            .Where(b => b.Value < beforeDate.UtcDateTime && !snapshot.Document.Rows.ContainsKey(b.Key))
            .Select(b => b.Key)
            .ToHashSet(StringComparer.Ordinal);
        if (stray.Count > 0)
        {
            await documents.ForgetBeatsAsync(ClusterId, stray, cancellationToken);
        }

        if (defunct.Count == 0)
        {
            return;
        }

        var rest = snapshot.Document with
        {
            Rows = snapshot.Document.Rows.Where(r => !defunct.Contains(r.Key)).ToDictionary(),
        };
        // Losing the race is fine: the next clean-up sees the same rows again.
        if (await documents.TryWriteAsync(ClusterId, rest, snapshot.ETag, cancellationToken))
        {
            await documents.ForgetBeatsAsync(ClusterId, defunct, cancellationToken);
        }
    }

    public Task DeleteMembershipTableEntriesAsync(string clusterId, CancellationToken cancellationToken = default) =>
        documents.DeleteAsync(clusterId, cancellationToken);

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

    private async Task<bool> MutateAsync(
        MembershipEntry entry, string? rowETag, TableVersion next, CancellationToken cancellationToken)
    {
        var snapshot = await documents.ReadAsync(ClusterId, cancellationToken);
        if (snapshot.ETag != next.VersionEtag)
        {
            return false;
        }

        var address = entry.SiloAddress.ToParsableString();
        var current = snapshot.Document.Rows.GetValueOrDefault(address);
        if (current?.ETag != rowETag)
        {
            return false;
        }

        if (current is not null && patience is not null && await patience.HoldsBackAsync(
            entry, snapshot.Document.Rows.Keys.Select(SiloAddress.FromParsableString), cancellationToken))
        {
            return false;
        }

        var rows = new Dictionary<string, MembershipRow>(snapshot.Document.Rows)
        {
            [address] = MembershipRow.From(entry, next.Version.ToString(CultureInfo.InvariantCulture), pod, current),
        };
        var document = new MembershipDocument { Version = next.Version, Rows = rows };
        return await documents.TryWriteAsync(ClusterId, document, snapshot.ETag, cancellationToken);
    }

    private static TableVersion ToVersion(MembershipSnapshot snapshot) => new(snapshot.Document.Version, snapshot.ETag);

    private static Tuple<MembershipEntry, string> ToTuple(
        MembershipSnapshot snapshot, string address, MembershipRow row) =>
        Tuple.Create(
            row.ToEntry(address, snapshot.Heartbeats.TryGetValue(address, out var beat) ? beat : null), row.ETag);

    private static DateTime LastSign(MembershipSnapshot snapshot, string address, MembershipRow row)
    {
        var last = row.StartTime > row.IAmAliveTime ? row.StartTime : row.IAmAliveTime;
        if (snapshot.Heartbeats.TryGetValue(address, out var beat) && beat > last)
        {
            last = beat;
        }

        return row.Suspects.Select(s => s.Time).Append(last).Max();
    }
}
