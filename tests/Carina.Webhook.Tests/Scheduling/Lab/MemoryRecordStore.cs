using System.Collections.Concurrent;
using System.Globalization;
using Carina.Grains.Storage;

namespace Carina.Webhook.Tests.Scheduling.Lab;

/// <summary>Compare-and-swap in memory; the real stores have their own tests.</summary>
internal sealed class MemoryRecordStore<T> : IRecordStore<T>
    where T : class
{
    private readonly ConcurrentDictionary<string, (T Value, string ETag)> _records = new();
    private int _version;

    public Task<Stored<T>?> ReadAsync(string name, CancellationToken cancellationToken) => Task.FromResult(
        _records.TryGetValue(name, out var found) ? new Stored<T>(name, found.Value, found.ETag) : null);

    public Task<string> WriteAsync(string name, T value, string? etag, CancellationToken cancellationToken)
    {
        var next = Interlocked.Increment(ref _version).ToString(CultureInfo.InvariantCulture);
        var done = etag is null
            ? _records.TryAdd(name, (value, next))
            : _records.TryGetValue(name, out var current) && current.ETag == etag
                && _records.TryUpdate(name, (value, next), current);
        return done ? Task.FromResult(next) : throw new RecordConflictException(name);
    }

    public Task DeleteAsync(string name, string etag, CancellationToken cancellationToken)
    {
        if (_records.TryGetValue(name, out var current)
            && (current.ETag != etag || !_records.TryRemove(new(name, current))))
        {
            throw new RecordConflictException(name);
        }

        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<Stored<T>>> ListAsync(string? after, int limit, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<Stored<T>>>(
        [
            .. _records.Where(r => string.CompareOrdinal(r.Key, after) > 0)
                .OrderBy(r => r.Key, StringComparer.Ordinal)
                .Take(limit == 0 ? int.MaxValue : limit)
                .Select(r => new Stored<T>(r.Key, r.Value.Value, r.Value.ETag)),
        ]);
}
