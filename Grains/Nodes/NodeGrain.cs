using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Storage;
using Carina.Grains.Volumes;
using Microsoft.Extensions.Logging;
using Orleans.Concurrency;

namespace Carina.Grains.Nodes;

/// <summary>
/// Shell around <see cref="NodeLedger"/>. Calls interleave, but each changes the ledger in one turn and answers only
/// after a compare-and-swap stored it, so changes that arrive together are stored together and a second activation of
/// the same ledger fails at its first write.
/// </summary>
[Reentrant]
[GrainType("carina-node")]
internal sealed partial class NodeGrain(
    IRecordStore<NodeRecord> store,
    IRecordStore<VolumeRecord> volumes,
    IGrainFactory grains,
    TimeProvider time,
    ILogger<NodeGrain> logger) : Grain, INodeGrain
{
    private NodeLedger _ledger = null!;
    private string? _etag;
    private long _changes;
    private long _stored;
    private Task? _storing;
    private StorageException? _lost;

    private string Node => this.GetPrimaryKeyString();

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        var stored = await store.ReadAsync(Node, cancellationToken);
        _etag = stored?.ETag;
        _ledger = stored is null ? new NodeLedger(Node) : new NodeLedger(stored.Value);
    }

    public async Task<ReservationResult> ReserveAsync(Reservation reservation, CancellationToken cancellationToken)
    {
        ThrowIfLost();
        var result = _ledger.Reserve(reservation, time.GetUtcNow());
        if (result.Outcome == ReservationOutcome.Reserved)
        {
            await StoreAsync();
        }

        return result;
    }

    public async Task ConfirmAsync(DiskVolumeKey key, long bytes, CancellationToken cancellationToken)
    {
        ThrowIfLost();
        _ledger.Confirm(key, bytes);
        await StoreAsync();
    }

    public async Task ReleaseAsync(string volumeId, long generation, CancellationToken cancellationToken)
    {
        ThrowIfLost();
        _ledger.Release(volumeId, generation);
        await StoreAsync();
    }

    public async Task<bool> AttachAsync(string volumeId, int limit, CancellationToken cancellationToken)
    {
        ThrowIfLost();
        if (!_ledger.TryAttach(volumeId, limit))
        {
            return false;
        }

        await StoreAsync();
        return true;
    }

    public async Task DetachAsync(string volumeId, CancellationToken cancellationToken)
    {
        ThrowIfLost();
        _ledger.Detach(volumeId);
        await StoreAsync();
    }

    public Task<string> GetVolumeProblemAsync(string volumeId, CancellationToken cancellationToken) =>
        Task.FromResult(_ledger.Find(volumeId)?.Problem ?? "");

    public Task<NodeCapacity> GetCapacityAsync(CancellationToken cancellationToken) =>
        Task.FromResult(_ledger.ToCapacity());

    public async Task ReportAsync(NodeReport report, CancellationToken cancellationToken)
    {
        ThrowIfLost();
        var before = _ledger.ToRecord();
        if (!_ledger.Apply(report, time.GetUtcNow()))
        {
            LogStaleReport(Node, report.Incarnation, report.Sequence);
            return;
        }

        await ExplainAsync(cancellationToken);
        if (!RecordComparer.Same(before, _ledger.ToRecord()))
        {
            await StoreAsync();
        }
    }

    /// <summary>Asks the volumes' own records about what is on disk without a promise.</summary>
    private async Task ExplainAsync(CancellationToken cancellationToken)
    {
        foreach (var (pool, found) in _ledger.Unexplained.ToList())
        {
            var stored = await volumes.ReadAsync(found.VolumeId, cancellationToken);
            var record = stored?.Value;
            if (record is null)
            {
                LogUnexplained(Node, found.VolumeId, found.Generation, pool);
                continue;
            }

            if (record.NodeName == Node && record.Pool == pool && record.Generation == found.Generation)
            {
                // Its own record says it belongs here: the promise was lost, the volume was not.
                _ledger.Adopt(new DiskVolumeKey(found.VolumeId, pool, found.Generation), found.Bytes);
                LogAdopted(Node, found.VolumeId, pool);
            }
            else if (record.Abandoned.Any(a => a.NodeName == Node && a.Pool == pool && a.Generation == found.Generation))
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

    /// <summary>Returns when all changes made so far are stored; calls that overlap share a write.</summary>
    private async Task StoreAsync()
    {
        var mine = ++_changes;
        while (_stored < mine)
        {
            ThrowIfLost();
            await (_storing ??= StoreOnceAsync());
        }
    }

    private async Task StoreOnceAsync()
    {
        // Let the calls that are already waiting for their turn join this write.
        await Task.Yield();
        var covers = _changes;
        try
        {
            _etag = await store.WriteAsync(Node, _ledger.ToRecord(), _etag, CancellationToken.None);
            _stored = covers;
        }
        catch (Exception exception)
        {
            // What was promised in memory is not backed by the store: forget it all and start again from the store.
            _lost = new StorageException(
                StorageErrorCode.Unavailable,
                $"The ledger of node '{Node}' could not be stored ({exception.Message}); nothing was promised. Try again.",
                exception);
            LogLost(Node, exception);
            DeactivateOnIdle();
            throw _lost;
        }
        finally
        {
            _storing = null;
        }
    }

    private void ThrowIfLost()
    {
        if (_lost is not null)
        {
            throw new StorageException(_lost.Code, _lost.Message);
        }
    }

    [LoggerMessage(1, LogLevel.Debug, "Ledger of {Node}: report {Incarnation}/{Sequence} is older than what is known")]
    private partial void LogStaleReport(string node, long incarnation, long sequence);

    [LoggerMessage(2, LogLevel.Warning,
        "Node {Node} has volume {VolumeId} (generation {Generation}) in pool {Pool} that no record explains; it is counted and left alone")]
    private partial void LogUnexplained(string node, string volumeId, long generation, string pool);

    [LoggerMessage(3, LogLevel.Information, "Ledger of {Node}: volume {VolumeId} in pool {Pool} taken back in")]
    private partial void LogAdopted(string node, string volumeId, string pool);

    [LoggerMessage(4, LogLevel.Warning, "Ledger of {Node} lost a write and starts again from the store")]
    private partial void LogLost(string node, Exception exception);
}
