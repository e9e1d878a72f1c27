using System.Collections.Concurrent;

namespace Carina.Silo.Tests.Membership;

public abstract partial class MembershipTableKit
{
    private const int MostTries = 5000;

    [Fact]
    public async Task Twenty_writers_at_once_make_twenty_versions_of_one_row()
    {
        var tables = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => StartTableAsync()));
        var next = (await tables[0].ReadAllAsync(Stop)).Version.Next();
        var inserted = await Task.WhenAll(tables.Select(t => t.InsertRowAsync(Entry(1), next, Stop)));
        Assert.Single(inserted, won => won);

        await Task.WhenAll(tables.Skip(1).Select(table => RepeatAsync(async () =>
        {
            var data = await table.ReadAllAsync(Stop);
            var (entry, etag) = data.Members.Single();
            return await table.UpdateRowAsync(entry, etag, data.Version.Next(), Stop);
        })));
        var after = await tables[0].ReadAllAsync(Stop);
        Assert.Equal(20, after.Version.Version);
        Assert.Single(after.Members);
    }

    [Fact]
    public async Task Fifty_silos_that_join_and_die_at_once_lose_nothing()
    {
        const int Silos = 50;
        var tables = await Task.WhenAll(Enumerable.Range(0, Silos).Select(_ => StartTableAsync()));
        await Task.WhenAll(tables.Select(async (table, i) =>
        {
            await RepeatAsync(async () => await table.InsertRowAsync(
                Entry(i + 1), (await table.ReadAllAsync(Stop)).Version.Next(), Stop));
            await SetStatusAsync(table, i + 1, SiloStatus.Active);
            await BeatAsync(table, i + 1, Noon.AddMinutes(1));
            // A vote of one's own against the neighbour, which lives on its own row.
            await RepeatAsync(async () =>
            {
                var data = await table.ReadAllAsync(Stop);
                if (data.TryGet(Address(((i + 1) % Silos) + 1)) is not { } row)
                {
                    return false;
                }

                row.Item1.AddSuspector(Address(i + 1), Noon);
                return await table.UpdateRowAsync(row.Item1, row.Item2, data.Version.Next(), Stop);
            });
            await SetStatusAsync(table, i + 1, SiloStatus.Dead);
        }));

        var after = await tables[0].ReadAllAsync(Stop);
        Assert.Equal(4 * Silos, after.Version.Version);
        Assert.Equal(Enumerable.Range(1, Silos), after.Members.Select(m => m.Item1.SiloAddress.Generation).Order());
        Assert.All(after.Members, m => Assert.Equal(SiloStatus.Dead, m.Item1.Status));
        Assert.All(after.Members, m => Assert.Single(m.Item1.SuspectTimes!));
    }

    [Fact]
    public async Task A_version_means_the_same_rows_to_all_readers()
    {
        const int Silos = 6;
        var tables = await Task.WhenAll(Enumerable.Range(0, Silos).Select(_ => StartTableAsync()));
        for (var i = 1; i <= Silos; i++)
        {
            await InsertAsync(tables[0], Entry(i));
        }

        var seen = new ConcurrentDictionary<int, ConcurrentDictionary<string, bool>>();
        var written = 0;
        using var end = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        var readers = tables.Select(table => Task.Run(async () =>
        {
            while (!end.IsCancellationRequested)
            {
                var data = await table.ReadAllAsync(Stop);
                seen.GetOrAdd(data.Version.Version, _ => new()).TryAdd(WithoutHeartbeats(data), true);
            }
        })).ToArray();
        var hearts = tables.Select((table, i) => Task.Run(async () =>
        {
            for (var beat = 1; !end.IsCancellationRequested; beat++)
            {
                await BeatAsync(table, i + 1, Noon.AddSeconds(beat));
                await Task.Delay(20, CancellationToken.None);
            }
        })).ToArray();
        await Task.WhenAll(tables.Select((table, i) => Task.Run(async () =>
        {
            for (var vote = 1; vote <= 10; vote++)
            {
                await RepeatAsync(async () =>
                {
                    var data = await table.ReadAllAsync(Stop);
                    var (entry, etag) = data.Members[(i + vote) % Silos];
                    entry.SuspectTimes = [Tuple.Create(Address(i + 1), Noon.AddSeconds(vote))];
                    return await table.UpdateRowAsync(entry, etag, data.Version.Next(), Stop);
                });
                Interlocked.Increment(ref written);
            }
        })));
        await end.CancelAsync();
        await Task.WhenAll([.. readers, .. hearts]);

        var torn = seen.Where(s => s.Value.Count > 1).Select(s => $"{s.Key}:\n{string.Join("\n--\n", s.Value.Keys)}");
        Assert.Empty(torn);
        Assert.Equal(Silos + written, (await tables[0].ReadAllAsync(Stop)).Version.Version);
    }

    private static string WithoutHeartbeats(MembershipTableData data)
    {
        foreach (var (entry, _) in data.Members)
        {
            entry.IAmAliveTime = default;
        }

        return Describe(data);
    }

    private static Task SetStatusAsync(IMembershipTable table, int generation, SiloStatus status) => RepeatAsync(async () =>
    {
        var data = await table.ReadAllAsync(Stop);
        var (entry, etag) = data.TryGet(Address(generation))!;
        entry.Status = status;
        return await table.UpdateRowAsync(entry, etag, data.Version.Next(), Stop);
    });

    private static async Task RepeatAsync(Func<Task<bool>> attempt)
    {
        for (var tries = 0; tries < MostTries; tries++)
        {
            if (await attempt())
            {
                return;
            }

            await Task.Delay(Random.Shared.Next(100), Stop);
        }

        Assert.Fail("A writer never got through.");
    }
}
