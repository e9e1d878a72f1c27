using System.Text.Json;
using Carina.Grains.Storage;

namespace Carina.Silo.Tests.Storage;

/// <summary>What every record store must do, whatever it keeps its records in.</summary>
public abstract class RecordStoreKit<T>
    where T : class
{
    /// <summary>A store that looks at the same records as every other of this test.</summary>
    protected abstract IRecordStore<T> NewStore();

    /// <summary>A valid record's name; ordered as <paramref name="tail"/> is.</summary>
    protected abstract string Name(string tail);

    /// <summary>A valid record; different numbers make different ones.</summary>
    protected abstract T Sample(string name, int number);

    [Fact]
    public async Task A_record_is_written_read_and_deleted_at_its_version()
    {
        var (store, a) = (NewStore(), Name("a"));
        Assert.Null(await store.ReadAsync(a, default));
        var first = await store.WriteAsync(a, Sample(a, 1), null, default);
        var second = await store.WriteAsync(a, Sample(a, 2), first, default);
        Assert.NotEqual(first, second);
        var read = await store.ReadAsync(a, default);
        Assert.Equal((a, second), (read!.Name, read.ETag));
        AssertSame(Sample(a, 2), read.Value);
        await Assert.ThrowsAsync<RecordConflictException>(() => store.DeleteAsync(a, first, default));
        await store.DeleteAsync(a, second, default);
        await store.DeleteAsync(a, second, default);
        Assert.Null(await store.ReadAsync(a, default));
    }

    [Fact]
    public async Task What_one_store_wrote_another_reads()
    {
        var a = Name("a");
        var etag = await NewStore().WriteAsync(a, Sample(a, 7), null, default);
        var read = await NewStore().ReadAsync(a, default);
        AssertSame(Sample(a, 7), read!.Value);
        await NewStore().WriteAsync(a, Sample(a, 8), read.ETag, default);
        await Assert.ThrowsAsync<RecordConflictException>(() => NewStore().WriteAsync(a, Sample(a, 9), etag, default));
    }

    [Fact]
    public async Task A_version_never_comes_back()
    {
        var (store, a) = (NewStore(), Name("a"));
        var first = await store.WriteAsync(a, Sample(a, 1), null, default);
        await store.DeleteAsync(a, first, default);
        await Assert.ThrowsAsync<RecordConflictException>(() => store.WriteAsync(a, Sample(a, 2), first, default));
        await store.WriteAsync(a, Sample(a, 1), null, default);
        await Assert.ThrowsAsync<RecordConflictException>(() => store.WriteAsync(a, Sample(a, 2), first, default));
        await Assert.ThrowsAsync<RecordConflictException>(() => store.WriteAsync(a, Sample(a, 2), null, default));
        await Assert.ThrowsAsync<RecordConflictException>(() => store.DeleteAsync(a, first, default));
    }

    [Fact]
    public async Task Of_many_writers_at_one_version_one_wins()
    {
        var a = Name("a");
        var stores = new[] { NewStore(), NewStore() };
        var etag = await stores[0].WriteAsync(a, Sample(a, 0), null, default);
        var winner = await RaceAsync(stores, (store, i) => store.WriteAsync(a, Sample(a, i), etag, default));
        AssertSame(Sample(a, winner), (await stores[0].ReadAsync(a, default))!.Value);
    }

    [Fact]
    public async Task Of_many_first_writers_one_wins()
    {
        var a = Name("a");
        var stores = new[] { NewStore(), NewStore() };
        var winner = await RaceAsync(stores, (store, i) => store.WriteAsync(a, Sample(a, i), null, default));
        AssertSame(Sample(a, winner), (await stores[0].ReadAsync(a, default))!.Value);
    }

    [Fact]
    public async Task A_list_is_in_order_and_pages()
    {
        var store = NewStore();
        foreach (var tail in (string[])["b", "a", "e", "c", "d"])
        {
            await store.WriteAsync(Name(tail), Sample(Name(tail), 1), null, default);
        }

        Assert.Equal(Names("a", "b", "c", "d", "e"), await ListAsync(null, 0));
        Assert.Equal(Names("b", "c", "d", "e"), await ListAsync(Name("a"), 5));
        Assert.Equal(Names("b"), await ListAsync(Name("a"), 1));
        Assert.Equal(Names("c", "d"), await ListAsync(Name("b"), 2));
        Assert.Empty(await ListAsync(Name("e"), 2));

        // Page by page, with a record gone, and one come, in between.
        Assert.Equal(Names("a", "b"), await ListAsync(null, 2));
        await store.DeleteAsync(Name("b"), (await store.ReadAsync(Name("b"), default))!.ETag, default);
        Assert.Equal(Names("c", "d"), await ListAsync(Name("b"), 2));
        Assert.Equal(Names("e"), await ListAsync(Name("d"), 2));

        async Task<IEnumerable<string>> ListAsync(string? after, int limit) =>
            (await store.ListAsync(after, limit, default)).Select(s => s.Name);
    }

    protected static void AssertSame(T expected, T actual) =>
        Assert.Equal(JsonSerializer.Serialize(expected), JsonSerializer.Serialize(actual));

    private IEnumerable<string> Names(params string[] tails) => tails.Select(Name);

    private static async Task<int> RaceAsync(IRecordStore<T>[] stores, Func<IRecordStore<T>, int, Task> write)
    {
        var outcomes = await Task.WhenAll(Enumerable.Range(1, 32).Select(async i =>
        {
            try
            {
                await write(stores[i % stores.Length], i);
                return i;
            }
            catch (RecordConflictException)
            {
                return 0;
            }
        }));
        return Assert.Single(outcomes, o => o > 0);
    }
}
