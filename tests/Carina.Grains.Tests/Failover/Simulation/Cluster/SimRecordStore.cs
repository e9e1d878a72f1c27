using Carina.Grains.Storage;
using Carina.Grains.Tests.Failover.Simulation.Engine;

namespace Carina.Grains.Tests.Failover.Simulation.Cluster;

/// <summary>Records in the API server as one process reaches them.</summary>
internal sealed class SimRecordStore<T>(SimNetwork network, SimProcess process, SimTable<T> table) : IRecordStore<T>
    where T : class
{
    public Task<Stored<T>?> ReadAsync(string name, CancellationToken cancellationToken) => network.AskApiAsync(
        process,
        () => table.Records.TryGetValue(name, out var found) ? new Stored<T>(name, found.Value, found.ETag) : null,
        cancellationToken);

    public Task<string> WriteAsync(string name, T value, string? etag, CancellationToken cancellationToken) => network.AskApiAsync(
        process,
        () =>
        {
            var isThere = table.Records.TryGetValue(name, out var current);
            if (!table.IgnoresVersions && (isThere ? current.ETag : null) != etag)
            {
                throw new RecordConflictException(name);
            }

            var next = $"v{++table.Version}";
            table.Records[name] = (value, next);
            table.Changed(isThere ? current.Value : null, value);
            return next;
        },
        cancellationToken);

    public Task DeleteAsync(string name, string etag, CancellationToken cancellationToken) => network.AskApiAsync(
        process,
        () => !table.Records.TryGetValue(name, out var current) ? false
            : current.ETag == etag ? table.Records.Remove(name)
            : throw new RecordConflictException(name),
        cancellationToken);

    public Task<IReadOnlyList<Stored<T>>> ListAsync(string? after, int limit, CancellationToken cancellationToken) => network.AskApiAsync(
        process,
        IReadOnlyList<Stored<T>> () =>
        [
            .. table.Records.Where(r => string.CompareOrdinal(r.Key, after) > 0)
                .Take(limit == 0 ? int.MaxValue : limit)
                .Select(r => new Stored<T>(r.Key, r.Value.Value, r.Value.ETag)),
        ],
        cancellationToken);
}
