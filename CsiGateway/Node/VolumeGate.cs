using Carina.CsiGateway.Hosting;
using Carina.Grains.Errors;

namespace Carina.CsiGateway.Node;

/// <summary>
/// Lets one call at a time change a volume on this node. The specification allows callers to overlap after a crash of
/// theirs; whoever waits too long is told to come back.
/// </summary>
internal sealed class VolumeGate(CsiOptions options, TimeProvider time)
{
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();

    /// <summary>Number of volumes with a call under way or waiting.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _entries.Count;
            }
        }
    }

    /// <summary>Waits for the volume; dispose the result to let the next call in.</summary>
    /// <exception cref="StorageException">Aborted when an earlier call took too long.</exception>
    public async Task<IDisposable> EnterAsync(string volumeId, string operation, CancellationToken cancellationToken)
    {
        var entry = Join(volumeId);
        using var wait = new CancellationTokenSource(options.VolumeWait, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, wait.Token);
        try
        {
            await entry.Turn.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            var holder = entry.Holder;
            Leave(volumeId, entry);
            throw new StorageException(
                StorageErrorCode.Aborted,
                $"{operation} has to wait: {holder} is still working on volume {volumeId}. Try again later.");
        }
        catch
        {
            Leave(volumeId, entry);
            throw;
        }

        entry.Holder = operation;
        return new Pass(this, volumeId, entry);
    }

    private Entry Join(string volumeId)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(volumeId, out var entry))
            {
                _entries.Add(volumeId, entry = new Entry());
            }

            entry.Users++;
            return entry;
        }
    }

    private void Leave(string volumeId, Entry entry)
    {
        lock (_lock)
        {
            if (--entry.Users == 0)
            {
                _entries.Remove(volumeId);
                entry.Turn.Dispose();
            }
        }
    }

    private sealed class Entry
    {
        public SemaphoreSlim Turn { get; } = new(1, 1);

        public int Users { get; set; }

        public volatile string Holder = "an earlier call";
    }

    private sealed class Pass(VolumeGate gate, string volumeId, Entry entry) : IDisposable
    {
        private int _disposed;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0)
            {
                entry.Turn.Release();
                gate.Leave(volumeId, entry);
            }
        }
    }
}
