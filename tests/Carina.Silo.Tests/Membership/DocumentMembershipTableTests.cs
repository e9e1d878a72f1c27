using System.Net;
using Carina.Silo.Membership;
using Carina.Silo.Storage;
using Microsoft.Extensions.Options;
using Orleans.Configuration;

namespace Carina.Silo.Tests.Membership;

/// <summary>The contract of Orleans' extended membership protocol, over the real embedded database.</summary>
public sealed class DocumentMembershipTableTests : IAsyncDisposable
{
    private static readonly DateTime _now = new(2026, 1, 1, 12, 0, 0, DateTimeKind.Utc);
    private readonly string _directory = Directory.CreateTempSubdirectory("carina-membership-").FullName;
    private readonly SqliteDatabase _database;

    public DocumentMembershipTableTests() => _database = new SqliteDatabase(Path.Combine(_directory, "state.db"));

    [Fact]
    public async Task An_empty_table_has_version_zero_and_an_etag()
    {
        var data = await (await NewTableAsync()).ReadAllAsync();
        Assert.Empty(data.Members);
        Assert.Equal(0, data.Version.Version);
        Assert.NotNull(data.Version.VersionEtag);
    }

    [Fact]
    public async Task A_row_goes_in_once_and_at_the_current_version_only()
    {
        var table = await NewTableAsync();
        var empty = (await table.ReadAllAsync()).Version;
        Assert.True(await table.InsertRowAsync(Entry(1), empty.Next()));
        Assert.False(await table.InsertRowAsync(Entry(1), empty.Next()));
        Assert.False(await table.InsertRowAsync(Entry(2), empty.Next()));
        var now = await table.ReadAllAsync();
        Assert.Equal(1, now.Version.Version);
        Assert.False(await table.InsertRowAsync(Entry(1), now.Version.Next()));
        Assert.Single((await table.ReadAllAsync()).Members);
    }

    [Fact]
    public async Task A_row_comes_back_as_it_went_in()
    {
        var table = await NewTableAsync();
        var entry = Entry(1);
        entry.SuspectTimes = [Tuple.Create(Address(9), _now)];
        Assert.True(await table.InsertRowAsync(entry, (await table.ReadAllAsync()).Version.Next()));
        var back = (await table.ReadRowAsync(entry.SiloAddress)).Members.Single().Item1;
        Assert.Equal(
            (entry.SiloAddress, entry.Status, entry.SiloName, entry.HostName, entry.ProxyPort, entry.StartTime, entry.IAmAliveTime),
            (back.SiloAddress, back.Status, back.SiloName, back.HostName, back.ProxyPort, back.StartTime, back.IAmAliveTime));
        Assert.Equal(entry.SuspectTimes, back.SuspectTimes);
        Assert.Empty((await table.ReadRowAsync(Address(5))).Members);
    }

    [Fact]
    public async Task An_update_needs_the_rows_etag_and_the_tables()
    {
        var table = await NewTableAsync();
        var empty = (await table.ReadAllAsync()).Version;
        await table.InsertRowAsync(Entry(1), empty.Next());
        var read = await table.ReadRowAsync(Address(1));
        var (entry, etag) = read.Members.Single();
        entry.Status = SiloStatus.Active;
        Assert.False(await table.UpdateRowAsync(entry, "wrong", read.Version.Next()));
        Assert.False(await table.UpdateRowAsync(entry, etag, empty.Next()));
        Assert.True(await table.UpdateRowAsync(entry, etag, read.Version.Next()));
        Assert.False(await table.UpdateRowAsync(entry, etag, read.Version.Next()));
        var after = await table.ReadAllAsync();
        Assert.Equal(2, after.Version.Version);
        Assert.Equal(SiloStatus.Active, after.Members.Single().Item1.Status);
    }

    [Fact]
    public async Task A_heartbeat_changes_neither_version_nor_etags()
    {
        var table = await NewTableAsync();
        await table.InsertRowAsync(Entry(1), (await table.ReadAllAsync()).Version.Next());
        var before = await table.ReadRowAsync(Address(1));
        var beat = Entry(1);
        beat.IAmAliveTime = _now.AddMinutes(5);
        await table.UpdateIAmAliveAsync(beat);
        var after = await table.ReadRowAsync(Address(1));
        Assert.Equal(beat.IAmAliveTime, after.Members.Single().Item1.IAmAliveTime);
        Assert.Equal(before.Version, after.Version);
        Assert.Equal(before.Members.Single().Item2, after.Members.Single().Item2);
        Assert.True(await table.UpdateRowAsync(before.Members.Single().Item1, before.Members.Single().Item2, before.Version.Next()));
    }

    [Fact]
    public async Task Twenty_writers_at_once_make_twenty_versions_and_lose_nothing()
    {
        var tables = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => NewTableAsync()));
        await Task.WhenAll(tables.Select(async (table, i) =>
        {
            for (var tries = 0; tries < 1000; tries++)
            {
                var version = (await table.ReadAllAsync()).Version;
                if (await table.InsertRowAsync(Entry(i + 1), version.Next()))
                {
                    return;
                }
            }

            Assert.Fail("A writer never got through.");
        }));
        var data = await tables[0].ReadAllAsync();
        Assert.Equal(20, data.Version.Version);
        Assert.Equal(20, data.Members.Count);
    }

    [Fact]
    public async Task Clean_up_removes_the_long_dead_and_nobody_else()
    {
        var table = await NewTableAsync();
        foreach (var (number, status, lastSign) in ((int, SiloStatus, DateTime)[])
            [(1, SiloStatus.Dead, _now), (2, SiloStatus.Dead, _now.AddHours(2)), (3, SiloStatus.Active, _now)])
        {
            var entry = Entry(number);
            (entry.Status, entry.IAmAliveTime) = (status, lastSign);
            await table.InsertRowAsync(entry, (await table.ReadAllAsync()).Version.Next());
        }

        await table.CleanupDefunctSiloEntriesAsync(_now.AddHours(1));
        Assert.Equal([2, 3], (await table.ReadAllAsync()).Members.Select(m => m.Item1.SiloAddress.Generation).Order());
    }

    [Fact]
    public async Task Clusters_in_one_file_do_not_see_each_other()
    {
        var (one, two) = (await NewTableAsync("one"), await NewTableAsync("two"));
        await one.InsertRowAsync(Entry(1), (await one.ReadAllAsync()).Version.Next());
        Assert.Empty((await two.ReadAllAsync()).Members);
        await two.DeleteMembershipTableEntriesAsync("two");
        Assert.Single((await one.ReadAllAsync()).Members);
    }

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private static SiloAddress Address(int generation) => SiloAddress.New(IPAddress.IPv6Loopback, 11111, generation);

    private static MembershipEntry Entry(int generation) => new()
    {
        SiloAddress = Address(generation),
        Status = SiloStatus.Joining,
        SiloName = $"node{generation}",
        HostName = "host",
        ProxyPort = 0,
        StartTime = _now,
        IAmAliveTime = _now,
        SuspectTimes = [],
    };

    private async Task<DocumentMembershipTable> NewTableAsync(string cluster = "test")
    {
        var table = new DocumentMembershipTable(
            new SqliteMembershipDocuments(_database), Options.Create(new ClusterOptions { ClusterId = cluster }));
        await table.InitializeMembershipTableAsync(true);
        return table;
    }
}
