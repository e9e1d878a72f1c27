using Carina.Grains.Storage;
using Carina.Silo.Storage;

namespace Carina.Silo.Tests.Storage;

public sealed class SqliteRecordStoreTests : IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("carina-store-").FullName;
    private readonly SqliteDatabase _database;
    private readonly SqliteRecordStore<Sample> _store;

    public SqliteRecordStoreTests()
    {
        _database = new SqliteDatabase(Path.Combine(_directory, "state.db"));
        _store = new SqliteRecordStore<Sample>(_database, "sample");
    }

    [Fact]
    public async Task A_record_is_written_read_and_deleted_at_its_version()
    {
        Assert.Null(await _store.ReadAsync("a", default));
        var first = await _store.WriteAsync("a", new Sample(1), null, default);
        var second = await _store.WriteAsync("a", new Sample(2), first, default);
        Assert.Equal(new Stored<Sample>("a", new Sample(2), second), await _store.ReadAsync("a", default));
        await Assert.ThrowsAsync<RecordConflictException>(() => _store.DeleteAsync("a", first, default));
        await _store.DeleteAsync("a", second, default);
        await _store.DeleteAsync("a", second, default);
        Assert.Null(await _store.ReadAsync("a", default));
    }

    [Fact]
    public async Task A_version_never_comes_back()
    {
        var first = await _store.WriteAsync("a", new Sample(1), null, default);
        await _store.DeleteAsync("a", first, default);
        await _store.WriteAsync("a", new Sample(1), null, default);
        await Assert.ThrowsAsync<RecordConflictException>(() => _store.WriteAsync("a", new Sample(2), first, default));
        await Assert.ThrowsAsync<RecordConflictException>(() => _store.WriteAsync("a", new Sample(2), null, default));
    }

    [Fact]
    public async Task Of_many_writers_at_one_version_one_wins()
    {
        var etag = await _store.WriteAsync("a", new Sample(0), null, default);
        await using var other = new SqliteDatabase(Path.Combine(_directory, "state.db"));
        var stores = new[] { _store, new SqliteRecordStore<Sample>(other, "sample") };
        var outcomes = await Task.WhenAll(Enumerable.Range(1, 32).Select(async i =>
        {
            try
            {
                await stores[i % 2].WriteAsync("a", new Sample(i), etag, default);
                return i;
            }
            catch (RecordConflictException)
            {
                return 0;
            }
        }));
        var winner = Assert.Single(outcomes, o => o > 0);
        Assert.Equal(winner, (await _store.ReadAsync("a", default))!.Value.Number);
    }

    [Fact]
    public async Task A_list_is_in_ordinal_order_and_pages()
    {
        foreach (var name in (string[])["b", "a", "B", "c"])
        {
            await _store.WriteAsync(name, new Sample(1), null, default);
        }

        Assert.Equal(["B", "a", "b", "c"], (await _store.ListAsync(null, 0, default)).Select(s => s.Name));
        Assert.Equal(["b", "c"], (await _store.ListAsync("a", 5, default)).Select(s => s.Name));
        Assert.Equal(["a"], (await _store.ListAsync("B", 1, default)).Select(s => s.Name));
    }

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private sealed record Sample(int Number);
}
