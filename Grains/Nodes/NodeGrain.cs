using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Failover;
using Carina.Grains.Storage;
using Carina.Grains.Volumes;
using Microsoft.Extensions.Logging;
using Orleans.Concurrency;
using Orleans.Placement;

namespace Carina.Grains.Nodes;

/// <summary>
/// Shell around <see cref="NodeLedger"/>. Calls interleave, but each changes the ledger in one turn and answers only
/// after it is stored; a second activation of the same ledger fails at its first write.
/// </summary>
[Reentrant]
[RandomPlacement]
[GrainType("carina-node")]
internal sealed partial class NodeGrain(
    IRecordStore<NodeRecord> store,
    IRecordStore<VolumeRecord> volumes,
    IGrainFactory grains,
    TimeProvider time,
    ILogger<NodeGrain> logger) : Grain, INodeGrain
{
    /// <summary>How long the answer of a record that does not claim a volume is taken for its answer.</summary>
    private static readonly TimeSpan _unclaimedFor = TimeSpan.FromMinutes(5);

    private readonly Dictionary<string, long> _asked = new(StringComparer.Ordinal);
    private LedgerKeeper _keeper = null!;

    private string Node => this.GetPrimaryKeyString();

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _keeper = new LedgerKeeper(Node, store);
        return _keeper.LoadAsync(cancellationToken);
    }

    public Task<ReservationResult> ReserveAsync(Reservation reservation, CancellationToken cancellationToken) =>
        ChangeAsync(ledger =>
        {
            var result = ledger.Reserve(reservation, time.GetUtcNow());
            return (result, result.Outcome == ReservationOutcome.Reserved);
        });

    public Task ConfirmAsync(DiskVolumeKey key, long bytes, CancellationToken cancellationToken) =>
        ChangeAsync(ledger => ledger.Confirm(key, bytes));

    public Task RenameAsync(DiskVolumeKey from, DiskVolumeKey to, long bytes, CancellationToken cancellationToken) =>
        ChangeAsync(ledger => ledger.Rename(from, to, bytes));

    public Task ReleaseAsync(string volumeId, long generation, CancellationToken cancellationToken) =>
        ChangeAsync(ledger => ledger.Release(volumeId, generation));

    public Task<bool> AttachAsync(string volumeId, int limit, CancellationToken cancellationToken) =>
        ChangeAsync(ledger =>
        {
            var attached = ledger.TryAttach(volumeId, limit);
            return (attached, attached);
        });

    public Task DetachAsync(string volumeId, CancellationToken cancellationToken) =>
        ChangeAsync(ledger => ledger.Detach(volumeId));

    public Task<string> GetVolumeProblemAsync(string volumeId, CancellationToken cancellationToken) =>
        Task.FromResult(_keeper.Ledger.Find(volumeId)?.Problem ?? "");

    public Task<NodeCapacity> GetCapacityAsync(CancellationToken cancellationToken) =>
        Task.FromResult(_keeper.Ledger.ToCapacity());

    public Task<NodeCapacity> GetCapacityAsync(List<string> awaited, CancellationToken cancellationToken) =>
        Task.FromResult(_keeper.Ledger.ToCapacity() with
        {
            Promised = [.. awaited.Where(volume => _keeper.Ledger.Find(volume) is not null)],
        });

    public async Task ReportAsync(NodeReport report, CancellationToken cancellationToken)
    {
        var taken = await ChangeAsync(ledger =>
        {
            var before = ledger.ToRecord();
            var applied = ledger.Apply(report, time.GetUtcNow());
            return (applied, applied && !RecordComparer.Same(before, ledger.ToRecord()));
        });
        if (!taken)
        {
            LogStaleReport(Node, report.Incarnation, report.Sequence);
            return;
        }

        await ExplainAsync(cancellationToken);
        await ClaimAsync(cancellationToken);
    }

    /// <summary>Asks the volumes' own records about what is on disk without a promise.</summary>
    private async Task ExplainAsync(CancellationToken cancellationToken)
    {
        foreach (var (pool, found) in _keeper.Ledger.Unexplained.ToList())
        {
            var record = await FindRecordAsync(RetiredCopyId.VolumeOf(found.VolumeId) ?? found.VolumeId, cancellationToken);
            if (record is not null && Claims(record, new(found.VolumeId, pool, found.Generation)))
            {
                // Its own record says it belongs here: the promise was lost, the volume was not.
                await ChangeAsync(ledger =>
                    ledger.Confirm(new DiskVolumeKey(found.VolumeId, pool, found.Generation), found.Bytes));
                LogAdopted(Node, found.VolumeId, pool);
            }
            else if (record?.Abandoned.Contains(new AbandonedPlace(Node, pool, found.Generation)) == true)
            {
                // Made here, never handed out, and since made elsewhere: its own grain may remove it.
                grains.GetGrain<IVolumeGrain>(found.VolumeId).CleanUpAsync(CancellationToken.None).Ignore();
            }
            else
            {
                LogUnexplained(Node, found.VolumeId, found.Generation, pool);
            }
        }
    }

    private bool Claims(VolumeRecord record, DiskVolumeKey key) =>
        (record.NodeName == Node && key == new DiskVolumeKey(record.VolumeId, record.Pool, record.Generation))
        || record.Retired.Any(copy => copy.NodeName == Node && copy.KeyOf(record.VolumeId) == key);

    /// <summary>
    /// Has volumes taken over that Carina up to 0.14 made, which put no tags on them: those whose own record says that
    /// they belong here. Whatever else has such a name stays somebody else's.
    /// </summary>
    private async Task ClaimAsync(CancellationToken cancellationToken)
    {
        foreach (var (pool, found) in _keeper.Ledger.Unclaimed.ToList())
        {
            if (_asked.TryGetValue(found.VolumeId, out var since) && time.GetElapsedTime(since) < _unclaimedFor)
            {
                continue;
            }

            _asked[found.VolumeId] = time.GetTimestamp();
            if (await FindRecordAsync(found.VolumeId, cancellationToken) is { State: not VolumeState.Creating } record
                && record.NodeName == Node && record.Pool == pool && record.Generation == found.Generation)
            {
                // Not awaited: it is disk work.
                grains.GetGrain<IVolumeGrain>(found.VolumeId).AdoptAsync(CancellationToken.None).Ignore();
            }
        }
    }

    private async Task<VolumeRecord?> FindRecordAsync(string volumeId, CancellationToken cancellationToken)
    {
        try
        {
            return (await volumes.ReadAsync(volumeId, cancellationToken))?.Value;
        }
        catch (StorageException exception) when (exception.Code == StorageErrorCode.FailedPrecondition)
        {
            // A record that is not to be acted upon explains nothing, and hides no other volume.
            LogRefused(Node, volumeId, exception.Message);
            return null;
        }
    }

    private Task<bool> ChangeAsync(Action<NodeLedger> change) => ChangeAsync(ledger =>
    {
        change(ledger);
        return (true, true);
    });

    private async Task<T> ChangeAsync<T>(Func<NodeLedger, (T Answer, bool Changed)> change)
    {
        try
        {
            return await _keeper.ChangeAsync(change);
        }
        finally
        {
            if (_keeper.Lost is { } lost)
            {
                LogLost(Node, lost);
                DeactivateOnIdle();
            }
        }
    }

    [LoggerMessage(1, LogLevel.Debug, "Ledger of {Node}: report {Incarnation}/{Sequence} is older than what is known")]
    private partial void LogStaleReport(string node, long incarnation, long sequence);

    [LoggerMessage(2, LogLevel.Warning,
        "Node {Node} has volume {VolumeId} (generation {Generation}) in pool {Pool} that no record explains; it is counted and left alone")]
    private partial void LogUnexplained(string node, string volumeId, long generation, string pool);

    [LoggerMessage(3, LogLevel.Information, "Ledger of {Node}: volume {VolumeId} in pool {Pool} taken back in")]
    private partial void LogAdopted(string node, string volumeId, string pool);

    [LoggerMessage(5, LogLevel.Warning, "Ledger of {Node}: the record of volume {VolumeId} is not acted upon: {Reason}")]
    private partial void LogRefused(string node, string volumeId, string reason);

    [LoggerMessage(4, LogLevel.Warning, "Ledger of {Node} lost a write and starts again from the store")]
    private partial void LogLost(string node, Exception exception);
}
