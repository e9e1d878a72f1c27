using Carina.Grains.Storage;

namespace Carina.Grains.Tests.Nodes;

/// <summary>
/// Compare-and-swap in memory, with a pause before and after each act so that others can come between, and failures
/// before or after the write took effect. What it stands for is tested on the real database in Carina.Silo.Tests.
/// </summary>
internal sealed class MemoryRecordStore<T>(Random random, double failures = 0) : IRecordStore<T>
    where T : class
{
    private readonly SortedDictionary<string, (T Value, string ETag)> _records = new(StringComparer.Ordinal);
    private int _version;

    /// <summary>Called with every value that took effect.</summary>
    public Action<T>? Written { get; set; }

    public async Task<Stored<T>?> ReadAsync(string name, CancellationToken cancellationToken)
    {
        await Task.Yield();
        return _records.TryGetValue(name, out var r) ? new Stored<T>(name, r.Value, r.ETag) : null;
    }

    public async Task<string> WriteAsync(string name, T value, string? etag, CancellationToken cancellationToken)
    {
        await Task.Yield();
        FailSometimes();
        if ((_records.TryGetValue(name, out var current) ? current.ETag : null) != etag)
        {
            throw new RecordConflictException(name);
        }

        var next = $"v{++_version}";
        _records[name] = (value, next);
        Written?.Invoke(value);
        await Task.Yield();
        FailSometimes();
        return next;
    }

    public async Task DeleteAsync(string name, string etag, CancellationToken cancellationToken)
    {
        await Task.Yield();
        if (_records.TryGetValue(name, out var current))
        {
            if (current.ETag != etag)
            {
                throw new RecordConflictException(name);
            }

            _records.Remove(name);
        }
    }

    public Task<IReadOnlyList<Stored<T>>> ListAsync(string? after, int limit, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<Stored<T>>>(
        [
            .. _records.Where(r => string.CompareOrdinal(r.Key, after) > 0)
                .Take(limit == 0 ? int.MaxValue : limit)
                .Select(r => new Stored<T>(r.Key, r.Value.Value, r.Value.ETag)),
        ]);

    private void FailSometimes()
    {
        if (random.NextDouble() < failures)
        {
            throw new IOException("The store is out of reach.");
        }
    }
}
