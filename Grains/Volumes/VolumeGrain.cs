using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Events;
using Carina.Grains.Nodes;
using Carina.Grains.Storage;
using Microsoft.Extensions.Logging;
using Orleans.Placement;

namespace Carina.Grains.Volumes;

/// <summary>
/// One volume's saga: reserve → record intent → act on disk → confirm. Every step is idempotent and starts from what is
/// stored, so a call repeated after a crash at any point finishes what the crashed one began.
/// </summary>
[PreferLocalPlacement]
[GrainType("carina-volume")]
internal sealed partial class VolumeGrain(
    IRecordStore<VolumeRecord> store,
    INodeExecutor executor,
    INodeDirectory directory,
    ICrashPoints crash,
    IVolumeEvents events,
    TimeProvider time,
    ILogger<VolumeGrain> logger) : Grain, IVolumeGrain
{
    private VolumeRecord? _record;
    private string? _etag;
    private StorageException? _refusal;

    private string Id => this.GetPrimaryKeyString();

    private DiskVolumeKey Key => new(Id, _record!.Pool, _record.Generation);

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        try
        {
            var stored = await store.ReadAsync(Id, cancellationToken);
            (_record, _etag) = (stored?.Value, stored?.ETag);
        }
        catch (StorageException exception) when (exception.Code == StorageErrorCode.FailedPrecondition)
        {
            // There is a record, but not one to act upon.
            _refusal = exception;
        }
    }

    public Task<VolumeRecord?> GetAsync(CancellationToken cancellationToken)
    {
        ThrowIfRefused();
        return Task.FromResult(_record);
    }

    public async Task DeleteAsync(CancellationToken cancellationToken)
    {
        ThrowIfRefused();
        if (_record is null)
        {
            return;
        }

        if (_record.PublishedNodes.Count > 0)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"Volume '{Id}' is published to node '{_record.PublishedNodes.Keys.First()}'; unpublish it before deleting it.");
        }

        if (_record.State != VolumeState.Deleting)
        {
            // A move of it ends here. A copy that is being restored may have the one handle or the other.
            var bare = WithoutTarget(_record);
            await WriteAsync(bare with
            {
                State = VolumeState.Deleting,
                Move = null,
                Abandoned = _record.Move is { Restores: not null, Target: { } restored } ? [.. bare.Abandoned, restored] : bare.Abandoned,
                Retired = _record.Move is { From.StoredAs.Length: > 0 } move ? [.. bare.Retired, move.From] : bare.Retired,
            });
        }

        crash.Reached("delete.recorded", Id);
        if (_record.NodeName.Length > 0)
        {
            RequireLive(_record.NodeName, "deleted");
            await executor.DeleteAsync(_record.NodeName, Key, cancellationToken);
            crash.Reached("delete.off-disk", Id);
            await Ledger(_record.NodeName).ReleaseAsync(Id, _record.Generation, cancellationToken);
            crash.Reached("delete.released", Id);
        }

        await DeleteCopiesAsync(cancellationToken);
        await CleanUpAsync(cancellationToken);
        if (_record.Abandoned.Count > 0)
        {
            RequireLive(_record.Abandoned[0].NodeName, "deleted completely");
        }

        await StoreAsync(() => store.DeleteAsync(Id, _etag!, CancellationToken.None));
        (_record, _etag) = (null, null);
        crash.Reached("delete.forgotten", Id);
        DeactivateOnIdle();
    }

    private async Task<VolumeRecord> GrowAsync(long requiredBytes, long limitBytes, CancellationToken cancellationToken)
    {
        var record = RequireReady();
        if (record.TargetBytes == record.Bytes && requiredBytes <= record.Bytes)
        {
            return limitBytes == 0 || record.Bytes <= limitBytes
                ? record
                : throw new StorageException(
                    StorageErrorCode.OutOfRange,
                    $"Volume '{Id}' has {record.Bytes} bytes, more than the limit of {limitBytes}; volumes are never shrunk.");
        }

        if (IsHeldUp(record))
        {
            throw BeingMoved(record);
        }

        RequireLive(record.NodeName, "expanded");
        var wanted = Math.Max(requiredBytes, record.Bytes);
        var reservation = await Ledger(record.NodeName)
            .ReserveAsync(new Reservation(Key, wanted, limitBytes), cancellationToken);
        if (reservation.Outcome != ReservationOutcome.Reserved)
        {
            // OUT_OF_RANGE rather than RESOURCE_EXHAUSTED lets the resizer give up and the user shrink the request.
            throw new StorageException(
                StorageErrorCode.OutOfRange,
                $"Volume '{Id}' cannot grow from {record.Bytes} to {requiredBytes} bytes: pool '{record.Pool}' on node "
                + $"'{record.NodeName}' has {Math.Max(0, reservation.AvailableBytes)} bytes left (limit of the request: "
                + $"{(limitBytes == 0 ? "none" : limitBytes)}). Ask for less, or free or add space in the pool.");
        }

        crash.Reached("expand.reserved", Id);
        await WriteAsync(record with { TargetBytes = reservation.Bytes });
        crash.Reached("expand.recorded", Id);
        DiskVolume grown;
        try
        {
            grown = await executor.ExpandAsync(record.NodeName, Key, reservation.Bytes, cancellationToken);
        }
        catch (StorageException exception) when (exception.Code == StorageErrorCode.ResourceExhausted)
        {
            await Ledger(record.NodeName).ConfirmAsync(Key, record.Bytes, CancellationToken.None);
            await WriteAsync(_record! with { TargetBytes = record.Bytes });
            throw new StorageException(StorageErrorCode.OutOfRange, exception.Message, exception);
        }

        crash.Reached("expand.on-disk", Id);
        await Ledger(record.NodeName).ConfirmAsync(Key, grown.Bytes, cancellationToken);
        crash.Reached("expand.confirmed", Id);
        await WriteAsync(_record! with { Bytes = grown.Bytes, TargetBytes = grown.Bytes });
        events.Report(new(
            Id, VolumeEventReason.ExpandVolumeSuccess, $"Grown from {record.Bytes} to {grown.Bytes} bytes."));
        return _record!;
    }

    public async Task<VolumeRecord> ModifyAsync(
        Dictionary<string, string> mutableParameters, CancellationToken cancellationToken)
    {
        var record = RequireReady();
        var merged = new Dictionary<string, string>(record.MutableParameters);
        foreach (var (key, value) in mutableParameters)
        {
            merged[key] = value;
        }

        if (merged.Count != record.MutableParameters.Count || merged.Except(record.MutableParameters).Any())
        {
            await WriteAsync(record with { MutableParameters = merged });
        }

        if (mutableParameters.Count > 0)
        {
            RequireLive(record.NodeName, "modified");
            await executor.TuneAsync(record.NodeName, Key, merged, cancellationToken);
        }

        return _record!;
    }

    public async Task PublishAsync(string nodeName, bool readOnly, int maxPerNode, CancellationToken cancellationToken)
    {
        var record = RequireReady();
        if (nodeName != record.NodeName)
        {
            throw directory.LiveNodes.Contains(nodeName)
                ? WrongNode(record, nodeName)
                : new StorageException(
                    StorageErrorCode.NotFound, $"There is no live node '{nodeName}' that volume '{Id}' could be published to.");
        }

        if (record.PublishedNodes.TryGetValue(nodeName, out var publishedReadOnly))
        {
            if (publishedReadOnly != readOnly)
            {
                throw new StorageException(
                    StorageErrorCode.AlreadyExists,
                    $"Volume '{Id}' is published to node '{nodeName}' {(publishedReadOnly ? "read-only" : "read-write")} already.");
            }

            return;
        }

        if (!await Ledger(nodeName).AttachAsync(Id, maxPerNode, cancellationToken))
        {
            throw new StorageException(
                StorageErrorCode.ResourceExhausted,
                $"Node '{nodeName}' has its limit of {maxPerNode} published volumes; volume '{Id}' would be one more.");
        }

        await WriteAsync(record with { PublishedNodes = new(record.PublishedNodes) { [nodeName] = readOnly } });
    }

    public async Task UnpublishAsync(string nodeName, CancellationToken cancellationToken)
    {
        ThrowIfRefused();
        if (_record is null || (nodeName.Length > 0 && !_record.PublishedNodes.ContainsKey(nodeName)))
        {
            return;
        }

        var nodes = nodeName.Length > 0 ? [nodeName] : _record.PublishedNodes.Keys.ToArray();
        foreach (var node in nodes)
        {
            await Ledger(node).DetachAsync(Id, cancellationToken);
        }

        var rest = _record.PublishedNodes.Where(p => !nodes.Contains(p.Key)).ToDictionary();
        await WriteAsync(_record with { PublishedNodes = rest });
    }

    public async Task<VolumeRecord> AuthorizeAsync(string nodeName, CancellationToken cancellationToken)
    {
        // Not from memory: a second activation may have moved the volume, and this answer lets a node write.
        var record = RequireReady((await store.ReadAsync(Id, cancellationToken))?.Value);
        return record.NodeName != nodeName ? throw WrongNode(record, nodeName)
            : IsHeldUp(record) ? throw BeingMoved(record)
            : record;
    }

    public async Task AdoptAsync(CancellationToken cancellationToken)
    {
        ThrowIfRefused();
        if (_record is not { State: not VolumeState.Creating, NodeName.Length: > 0 } record)
        {
            return;
        }

        RequireLive(record.NodeName, "taken over");
        var adopted = await executor.AdoptAsync(record.NodeName, Key, cancellationToken);
        await Ledger(record.NodeName).ConfirmAsync(Key, adopted.Bytes, cancellationToken);
        LogAdopted(Id, record.NodeName, record.Pool);
    }

    public Task CleanUpAsync(CancellationToken cancellationToken) => CleanUpAsync(_ => true, cancellationToken);

    private async Task CleanUpAsync(Func<AbandonedPlace, bool> which, CancellationToken cancellationToken)
    {
        StorageException? first = null;
        foreach (var place in _record?.Abandoned.Where(which).ToList() ?? [])
        {
            if (!directory.LiveNodes.Contains(place.NodeName))
            {
                continue;
            }

            try
            {
                if (!IsReplaced(_record!, place))
                {
                    await executor.DeleteAsync(place.NodeName, new(Id, place.Pool, place.Generation), cancellationToken);
                }

                await Ledger(place.NodeName).ReleaseAsync(Id, place.Generation, cancellationToken);
            }
            catch (StorageException exception)
            {
                // One that fails must not keep the others from being cleaned up.
                first ??= exception;
                continue;
            }

            await WriteAsync(_record! with { Abandoned = [.. _record.Abandoned.Where(a => a != place)] });
            LogCleanedUp(Id, place.NodeName, place.Generation);
        }

        if (first is not null)
        {
            throw new StorageException(first.Code, first.Message, first);
        }
    }

    /// <summary>The disk has a later copy there, which it could only get when nothing of this one was left.</summary>
    private static bool IsReplaced(VolumeRecord record, AbandonedPlace place) =>
        record.Retired.Where(c => c.StoredAs.Length == 0).Select(c => (c.NodeName, c.Pool, c.Generation)).Append((record.NodeName, record.Pool, record.Generation))
            .Any(c => c.NodeName == place.NodeName && c.Pool == place.Pool && c.Generation > place.Generation);

    private Task WriteAsync(VolumeRecord record) => StoreAsync(async () =>
    {
        _etag = await store.WriteAsync(Id, record, _etag, CancellationToken.None);
        _record = record;
    });

    /// <summary>A write that fails leaves memory and store apart: start again from the store.</summary>
    private async Task StoreAsync(Func<Task> write)
    {
        try
        {
            await write();
        }
        catch (Exception exception)
        {
            DeactivateOnIdle();
            LogLost(Id, exception);
            throw exception is RecordConflictException
                ? new StorageException(StorageErrorCode.Aborted, $"Volume '{Id}' was changed at the same time. Try again.", exception)
                : new StorageException(
                    StorageErrorCode.Unavailable, $"The record of volume '{Id}' could not be stored: {exception.Message}. Try again.", exception);
        }
    }

    private INodeGrain Ledger(string node) => GrainFactory.GetGrain<INodeGrain>(node);

    /// <summary>Refuses everything while the record is not to be acted upon; the next call looks at it again.</summary>
    private void ThrowIfRefused()
    {
        if (_refusal is not null)
        {
            DeactivateOnIdle();
            throw new StorageException(_refusal.Code, _refusal.Message);
        }
    }

    private VolumeRecord RequireReady()
    {
        ThrowIfRefused();
        return RequireReady(_record);
    }

    private VolumeRecord RequireReady(VolumeRecord? record) => record switch
    {
        null => throw new StorageException(StorageErrorCode.NotFound, $"There is no volume '{Id}'."),
        { State: VolumeState.Ready } ready => ready,
        { State: VolumeState.Deleting } => throw new StorageException(
            StorageErrorCode.NotFound, $"Volume '{Id}' is being deleted."),
        _ => throw new StorageException(StorageErrorCode.NotFound, $"Volume '{Id}' is not made yet."),
    };

    private void RequireLive(string node, string what)
    {
        if (!directory.LiveNodes.Contains(node))
        {
            throw new StorageException(
                StorageErrorCode.Unavailable,
                $"Volume '{Id}' cannot be {what} now: node '{node}', which holds it, does not answer. Try again when it is back.");
        }
    }

    private StorageException WrongNode(VolumeRecord record, string node) => new(
        StorageErrorCode.FailedPrecondition,
        $"Volume '{Id}' (generation {record.Generation}) is on node '{record.NodeName}'; node '{node}' may not use it.");
}
