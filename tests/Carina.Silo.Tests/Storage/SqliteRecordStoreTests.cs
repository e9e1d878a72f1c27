using Carina.Grains.Storage;
using Carina.Silo.Storage;

namespace Carina.Silo.Tests.Storage;

public sealed class SqliteRecordStoreTests : RecordStoreKit<SqliteRecordStoreTests.Numbered>, IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("carina-store-").FullName;
    private readonly List<SqliteDatabase> _databases = [];

    [Fact]
    public async Task Names_are_ordered_ordinally()
    {
        var store = NewStore();
        foreach (var name in (string[])["b", "a", "B", "c"])
        {
            await store.WriteAsync(name, new Numbered(1), null, default);
        }

        Assert.Equal(["B", "a", "b", "c"], (await store.ListAsync(null, 0, default)).Select(s => s.Name));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var database in _databases)
        {
            await database.DisposeAsync();
        }

        Directory.Delete(_directory, recursive: true);
    }

    /// <summary>Each with connections of its own to the one file.</summary>
    protected override IRecordStore<Numbered> NewStore()
    {
        _databases.Add(new SqliteDatabase(Path.Combine(_directory, "state.db")));
        return new SqliteRecordStore<Numbered>(_databases[^1], "sample");
    }

    protected override string Name(string tail) => tail;

    protected override Numbered Sample(string name, int number) => new(number);

    public sealed record Numbered(int Number);
}
