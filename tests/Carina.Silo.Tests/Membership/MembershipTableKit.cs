using System.Globalization;
using System.Net;

namespace Carina.Silo.Tests.Membership;

/// <summary>
/// The contract of Orleans' extended membership protocol as <see cref="IMembershipTable"/> of Orleans 10.4 documents it,
/// over whatever the derived class keeps its table in.
/// </summary>
public abstract partial class MembershipTableKit
{
    protected static readonly DateTime Noon = new DateTime(2026, 1, 1, 12, 0, 0, DateTimeKind.Utc).AddTicks(1234567);

    /// <summary>A cluster of this test's own.</summary>
    protected string Cluster { get; } = "test-" + Guid.NewGuid().ToString("N")[..12];

    protected static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>A table of its own, as another silo would have it.</summary>
    protected abstract IMembershipTable NewTable(string cluster);

    /// <summary>A table whose user may delete all of it.</summary>
    protected virtual IMembershipTable NewAdministrativeTable(string cluster) => NewTable(cluster);

    [Fact]
    public async Task An_empty_table_has_version_zero_and_an_etag()
    {
        var data = await (await StartTableAsync()).ReadAllAsync(Stop);
        Assert.Empty(data.Members);
        Assert.Equal(0, data.Version.Version);
        Assert.NotEmpty(data.Version.VersionEtag);
    }

    [Fact]
    public async Task To_initialize_again_changes_nothing()
    {
        var table = await StartTableAsync();
        await InsertAsync(table, Entry(1));
        var before = Describe(await table.ReadAllAsync(Stop));
        await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => NewTable(Cluster).InitializeMembershipTableAsync(true, Stop)));
        Assert.Equal(before, Describe(await table.ReadAllAsync(Stop)));
    }

    [Fact]
    public async Task A_row_goes_in_once_and_at_the_current_version_only()
    {
        var table = await StartTableAsync();
        var empty = (await table.ReadAllAsync(Stop)).Version;
        var first = empty.Next();
        Assert.True(await table.InsertRowAsync(Entry(1), first, Stop));
        var one = await table.ReadAllAsync(Stop);
        Assert.Equal(1, one.Version.Version);
        Assert.NotEqual(first.VersionEtag, one.Version.VersionEtag);
        Assert.NotEmpty(Assert.Single(one.Members).Item2);

        await AssertNoEffectAsync(table, () => table.InsertRowAsync(Entry(1), first, Stop));
        await AssertNoEffectAsync(table, () => table.InsertRowAsync(Entry(2), first, Stop));
        await AssertNoEffectAsync(table, () => table.InsertRowAsync(Entry(1), one.Version.Next(), Stop));
        await AssertNoEffectAsync(
            table, () => table.InsertRowAsync(Entry(2), new TableVersion(2, "no-such-etag"), Stop));
    }

    [Fact]
    public async Task A_row_comes_back_as_it_went_in()
    {
        var table = await StartTableAsync();
        var entry = Entry(1);
        entry.RoleName = "silo";
        entry.ProxyPort = 30000;
        entry.StartTime = Noon.AddTicks(-7);
        entry.SuspectTimes = [Tuple.Create(Address(8), Noon.AddTicks(3)), Tuple.Create(Address(9), Noon.AddDays(1))];
        await InsertAsync(table, entry);
        var row = await table.ReadRowAsync(entry.SiloAddress, Stop);
        Assert.Equal(Describe(entry), Describe(row.Members.Single().Item1));
        Assert.Equal(1, row.Version.Version);
        var all = await table.ReadAllAsync(Stop);
        Assert.Equal(Describe(all), Describe(row));
    }

    [Fact]
    public async Task A_row_that_is_not_there_is_no_row_but_the_version_is_told()
    {
        var table = await StartTableAsync();
        await InsertAsync(table, Entry(1));
        var row = await table.ReadRowAsync(Address(5), Stop);
        Assert.Empty(row.Members);
        Assert.Equal(1, row.Version.Version);
        Assert.Equal((await table.ReadAllAsync(Stop)).Version.VersionEtag, row.Version.VersionEtag);
    }

    [Fact]
    public async Task An_update_needs_a_row_and_the_tables_etag()
    {
        var table = await StartTableAsync();
        for (var i = 1; i <= 9; i++)
        {
            var entry = Entry(i);
            entry.SuspectTimes = [Tuple.Create(Address(100), Noon.AddSeconds(1)), Tuple.Create(Address(101), Noon.AddSeconds(2))];
            var stale = (await table.ReadAllAsync(Stop)).Version.Next();
            Assert.True(await table.InsertRowAsync(entry, stale, Stop));

            var inserted = await table.ReadRowAsync(entry.SiloAddress, Stop);
            var etag = inserted.Members.Single().Item2;
            await AssertNoEffectAsync(table, () => table.UpdateRowAsync(entry, etag, stale, Stop));

            entry.Status = SiloStatus.Active;
            var next = inserted.Version.Next();
            Assert.True(await table.UpdateRowAsync(entry, etag, next, Stop));
            var updated = await table.ReadRowAsync(entry.SiloAddress, Stop);
            Assert.Equal(Describe(entry), Describe(updated.Members.Single().Item1));
            Assert.Equal((2 * i, next.Version), (updated.Version.Version, updated.Version.Version));

            await AssertNoEffectAsync(table, () => table.UpdateRowAsync(entry, etag, next, Stop));
            await AssertNoEffectAsync(table, () => table.UpdateRowAsync(entry, updated.Members.Single().Item2, next, Stop));
            await AssertNoEffectAsync(
                table, () => table.UpdateRowAsync(Entry(50), updated.Members.Single().Item2, updated.Version.Next(), Stop));
            Assert.Equal(i, (await table.ReadAllAsync(Stop)).Members.Count);
        }
    }

    [Fact]
    public async Task A_heartbeat_changes_neither_version_nor_etags()
    {
        var table = await StartTableAsync();
        await InsertAsync(table, Entry(1));
        await InsertAsync(table, Entry(2));
        var before = await table.ReadRowAsync(Address(1), Stop);
        for (var i = 1; i <= 3; i++)
        {
            await BeatAsync(table, 1, Noon.AddMinutes(i));
        }

        var after = await table.ReadRowAsync(Address(1), Stop);
        Assert.InRange(after.Members.Single().Item1.IAmAliveTime, Noon.AddMinutes(3).AddSeconds(-1), Noon.AddMinutes(3));
        Assert.Equal(before.Version, after.Version);
        Assert.Equal(before.Members.Single().Item2, after.Members.Single().Item2);
        Assert.Equal(Noon, (await table.ReadRowAsync(Address(2), Stop)).Members.Single().Item1.IAmAliveTime);

        // What was read before the heartbeats still serves to write.
        var (entry, etag) = before.Members.Single();
        entry.Status = SiloStatus.Active;
        Assert.True(await table.UpdateRowAsync(entry, etag, before.Version.Next(), Stop));
        Assert.InRange(
            (await table.ReadRowAsync(Address(1), Stop)).Members.Single().Item1.IAmAliveTime,
            Noon.AddMinutes(3).AddSeconds(-1),
            Noon.AddMinutes(3));
    }

    [Fact]
    public async Task Clean_up_removes_the_long_dead_and_nobody_else()
    {
        var table = await StartTableAsync();
        var later = Noon.AddHours(2);
        var (old, beaten, started, voted, dead) = (Entry(1), Entry(2), Entry(3), Entry(4), SiloStatus.Dead);
        (old.Status, beaten.Status, started.Status, voted.Status) = (dead, dead, dead, dead);
        started.StartTime = later;
        voted.SuspectTimes = [Tuple.Create(Address(9), later)];
        MembershipEntry[] others =
        [
            .. new[] { SiloStatus.Joining, SiloStatus.Active, SiloStatus.ShuttingDown, SiloStatus.Stopping }
                .Select((status, i) => Entry(10 + i, status)),
        ];
        foreach (var entry in (MembershipEntry[])[old, beaten, started, voted, .. others])
        {
            await InsertAsync(table, entry);
        }

        await BeatAsync(table, 1, Noon.AddMinutes(1));
        await BeatAsync(table, 2, later);
        var version = (await table.ReadAllAsync(Stop)).Version.Version;

        await table.CleanupDefunctSiloEntriesAsync(Noon.AddHours(1), Stop);
        var after = await table.ReadAllAsync(Stop);
        Assert.Equal([2, 3, 4, 10, 11, 12, 13], Generations(after));
        Assert.Equal(version, after.Version.Version);

        // Whoever read before must not bring the removed row back.
        await table.CleanupDefunctSiloEntriesAsync(later.AddMinutes(1), Stop);
        Assert.Equal([10, 11, 12, 13], Generations(await table.ReadAllAsync(Stop)));
        await InsertAsync(table, Entry(1));
        Assert.Equal(
            Noon, (await table.ReadRowAsync(Address(1), Stop)).Members.Single().Item1.IAmAliveTime);
    }

    [Fact]
    public async Task Clean_up_forgets_heartbeats_of_silos_that_have_no_row()
    {
        var table = await StartTableAsync();
        await InsertAsync(table, Entry(1));
        await BeatAsync(table, 1, Noon.AddMinutes(1));
        await BeatAsync(table, 7, Noon.AddMinutes(2));
        await table.CleanupDefunctSiloEntriesAsync(Noon.AddHours(1), Stop);
        await InsertAsync(table, Entry(7));
        Assert.Equal(Noon, (await table.ReadRowAsync(Address(7), Stop)).Members.Single().Item1.IAmAliveTime);
        Assert.True((await table.ReadRowAsync(Address(1), Stop)).Members.Single().Item1.IAmAliveTime > Noon);
    }

    [Fact]
    public async Task Clusters_do_not_see_each_other()
    {
        var (one, two) = (await StartTableAsync(), await StartTableAsync(Cluster + "-b"));
        await InsertAsync(one, Entry(1));
        await BeatAsync(one, 1, Noon.AddMinutes(1));
        Assert.Empty((await two.ReadAllAsync(Stop)).Members);
        await InsertAsync(two, Entry(1));
        await BeatAsync(two, 1, Noon.AddMinutes(2));
        var before = Describe(await one.ReadAllAsync(Stop));
        Assert.InRange(
            (await one.ReadAllAsync(Stop)).Members.Single().Item1.IAmAliveTime,
            Noon.AddSeconds(59),
            Noon.AddMinutes(1));
        await NewAdministrativeTable(Cluster + "-b").DeleteMembershipTableEntriesAsync(Cluster + "-b", Stop);
        Assert.Equal(before, Describe(await one.ReadAllAsync(Stop)));
        await two.InitializeMembershipTableAsync(true, Stop);
        var anew = await two.ReadAllAsync(Stop);
        Assert.Empty(anew.Members);
        Assert.Equal(0, anew.Version.Version);
    }

    [Fact]
    public async Task Addresses_of_both_families_live_side_by_side()
    {
        var table = await StartTableAsync();
        IPAddress[] addresses =
        [
            IPAddress.Parse("10.0.0.1"), IPAddress.Parse("fd00::1"), IPAddress.Parse("fd00::1:1"),
            IPAddress.Parse("2001:db8:0:1:2:3:4:5"),
        ];
        foreach (var address in addresses)
        {
            var entry = Entry(1);
            entry.SiloAddress = SiloAddress.New(address, 11111, 1);
            entry.SuspectTimes = [Tuple.Create(entry.SiloAddress, Noon)];
            await InsertAsync(table, entry);
            await table.UpdateIAmAliveAsync(
                new() { SiloAddress = entry.SiloAddress, IAmAliveTime = Noon.AddMinutes(1 + address.GetAddressBytes()[^1]) },
                Stop);
        }

        foreach (var address in addresses)
        {
            var row = (await table.ReadRowAsync(SiloAddress.New(address, 11111, 1), Stop)).Members.Single().Item1;
            Assert.Equal(address, row.SiloAddress.Endpoint.Address);
            Assert.Equal(address, row.SuspectTimes!.Single().Item1.Endpoint.Address);
            Assert.Equal(1 + address.GetAddressBytes()[^1], (row.IAmAliveTime - Noon).TotalMinutes, 0.02);
        }
    }

    protected static SiloAddress Address(int generation) => SiloAddress.New(IPAddress.IPv6Loopback, 11111, generation);

    protected static MembershipEntry Entry(int generation, SiloStatus status = SiloStatus.Joining) => new()
    {
        SiloAddress = Address(generation),
        Status = status,
        SiloName = $"node{generation}",
        HostName = "host",
        ProxyPort = 0,
        StartTime = Noon,
        IAmAliveTime = Noon,
        SuspectTimes = [],
    };

    protected async Task<IMembershipTable> StartTableAsync(string? cluster = null)
    {
        var table = NewTable(cluster ?? Cluster);
        await table.InitializeMembershipTableAsync(true, Stop);
        return table;
    }

    protected static async Task InsertAsync(IMembershipTable table, MembershipEntry entry) =>
        Assert.True(await table.InsertRowAsync(entry, (await table.ReadAllAsync(Stop)).Version.Next(), Stop));

    /// <summary>As Orleans does: with no more than address and time.</summary>
    protected static Task BeatAsync(IMembershipTable table, int generation, DateTime time) =>
        table.UpdateIAmAliveAsync(new() { SiloAddress = Address(generation), IAmAliveTime = time }, Stop);

    protected static string Describe(MembershipTableData data) => string.Join(
        '\n',
        data.Members.OrderBy(m => m.Item1.SiloAddress).Select(m => $"{Describe(m.Item1)} {m.Item2}")
            .Prepend($"{data.Version.Version} {data.Version.VersionEtag}"));

    /// <summary>All fields; unlike Orleans' own text with all digits of times.</summary>
    protected static string Describe(MembershipEntry entry) => string.Join(
        ' ',
        entry.SiloAddress.ToParsableString(), entry.Status, entry.SiloName, entry.HostName, entry.ProxyPort, entry.RoleName,
        entry.StartTime.ToString("O", CultureInfo.InvariantCulture),
        entry.IAmAliveTime.ToString("O", CultureInfo.InvariantCulture),
        string.Join(',', (entry.SuspectTimes ?? []).Select(s => $"{s.Item1.ToParsableString()}={s.Item2:O}")));

    private static async Task AssertNoEffectAsync(IMembershipTable table, Func<Task<bool>> attempt)
    {
        var before = Describe(await table.ReadAllAsync(Stop));
        Assert.False(await attempt());
        Assert.Equal(before, Describe(await table.ReadAllAsync(Stop)));
    }

    private static IEnumerable<int> Generations(MembershipTableData data) =>
        data.Members.Select(m => m.Item1.SiloAddress.Generation).Order();
}
