using Carina.Grains.Errors;
using Carina.Grains.Storage;

namespace Carina.Grains.Nodes;

/// <summary>
/// Keeps a ledger in step with the store: a change is acknowledged only once a compare-and-swap stored it, and changes
/// that arrive together share one write. Not thread-safe; its owner runs one turn at a time, as grains do.
/// </summary>
internal sealed class LedgerKeeper(string node, IRecordStore<NodeRecord> store)
{
    private string? _etag;
    private long _changes;
    private long _stored;
    private Task? _storing;

    /// <summary>The ledger. Change it only through <see cref="ChangeAsync{T}"/>.</summary>
    public NodeLedger Ledger { get; private set; } = new(node);

    /// <summary>Set when a write failed: memory and store differ, and this keeper must not be used any more.</summary>
    public StorageException? Lost { get; private set; }

    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        var stored = await store.ReadAsync(node, cancellationToken);
        _etag = stored?.ETag;
        Ledger = stored is null ? new NodeLedger(node) : new NodeLedger(stored.Value);
    }

    /// <summary>Changes the ledger in one turn and returns when that is stored.</summary>
    /// <param name="change">Returns its answer, and whether anything was changed.</param>
    /// <exception cref="StorageException">Unavailable when it could not be stored; nothing was promised then.</exception>
    public async Task<T> ChangeAsync<T>(Func<NodeLedger, (T Answer, bool Changed)> change)
    {
        ThrowIfLost();
        var (answer, changed) = change(Ledger);
        if (!changed)
        {
            return answer;
        }

        var mine = ++_changes;
        while (_stored < mine)
        {
            ThrowIfLost();
            await (_storing ??= StoreAsync());
        }

        return answer;
    }

    private async Task StoreAsync()
    {
        // Let the calls that are already waiting for their turn join this write.
        await Task.Yield();
        var covers = _changes;
        try
        {
            _etag = await store.WriteAsync(node, Ledger.ToRecord(), _etag, CancellationToken.None);
            _stored = covers;
        }
        catch (Exception exception)
        {
            Lost = new StorageException(
                StorageErrorCode.Unavailable,
                $"The ledger of node '{node}' could not be stored ({exception.Message}); nothing was promised. Try again.",
                exception);
            throw Lost;
        }
        finally
        {
            _storing = null;
        }
    }

    private void ThrowIfLost()
    {
        if (Lost is not null)
        {
            throw new StorageException(Lost.Code, Lost.Message);
        }
    }
}
