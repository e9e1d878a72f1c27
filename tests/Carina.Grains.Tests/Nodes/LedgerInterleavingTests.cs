using Carina.Grains.Agents;
using Carina.Grains.Configuration;
using Carina.Grains.Errors;
using Carina.Grains.Nodes;

namespace Carina.Grains.Tests.Nodes;

/// <summary>
/// No pool is ever overcommitted: checked on every record that takes effect in the store, and on every promise that a
/// caller was told of, over thousands of seeded interleavings of several activations of the same ledger, with a store
/// that fails before and after writes.
/// </summary>
public sealed class LedgerInterleavingTests
{
    private const long Unit = 4;
    private const long Size = 100 * Unit;
    private const long Foreign = 7 * Unit;
    private const long Reserve = 10 * Unit;
    private const long Usable = Size - Foreign - Reserve;

    [Fact]
    public void No_interleaving_overcommits_a_pool()
    {
        for (var seed = 0; seed < 3000; seed++)
        {
            try
            {
                new SeededScheduler(seed).Run(() => RunAsync(seed));
            }
            catch (Exception exception)
            {
                Assert.Fail($"Seed {seed}: {exception}");
            }
        }
    }

    [Fact]
    public void Exactly_as_many_as_fit_get_a_promise()
    {
        for (var seed = 0; seed < 500; seed++)
        {
            new SeededScheduler(seed).Run(async () =>
            {
                var store = new MemoryRecordStore<NodeRecord>(new Random(seed));
                var activation = await SeedLedgerAsync(store);
                var outcomes = await Task.WhenAll(Enumerable.Range(0, 64).Select(i =>
                    ReserveAsync(activation, new Reservation(new DiskVolumeKey($"v{i}", "p", 1), 2 * Unit, 0))));
                Assert.Equal(Usable / (2 * Unit), outcomes.Count(o => o?.Outcome == ReservationOutcome.Reserved));
                Assert.All(outcomes, o => Assert.NotNull(o));
            });
        }
    }

    private static async Task RunAsync(int seed)
    {
        var random = new Random(seed);
        var store = new MemoryRecordStore<NodeRecord>(random, failures: 0.03);
        var current = await SeedLedgerAsync(store);
        store.Written = record =>
            Assert.True(record.Allocations.Sum(a => a.Bytes) <= Usable, $"Stored {record.Allocations.Sum(a => a.Bytes)} of {Usable}.");
        var activations = new List<LedgerKeeper> { current };
        await Task.WhenAll(Enumerable.Range(0, 24).Select(ClientAsync));
        return;

        async Task ClientAsync(int client)
        {
            await Task.Yield();
            var volume = $"v{client % 12}";
            for (var step = 0; step < 4; step++)
            {
                var keeper = await PickAsync();
                var key = new DiskVolumeKey(volume, "p", 1);
                switch (random.Next(4))
                {
                    case 0 or 1:
                        var wanted = random.Next(1, 40);
                        var result = await ReserveAsync(keeper, new Reservation(key, wanted, 0));
                        if (result?.Outcome == ReservationOutcome.Reserved)
                        {
                            Assert.True(result.Bytes >= wanted);
                            Assert.True(result.Bytes <= Usable);
                        }

                        break;
                    case 2:
                        var found = keeper.Ledger.Find(volume);
                        if (found is not null)
                        {
                            await TryAsync(() => keeper.ChangeAsync(l =>
                            {
                                var again = l.Find(volume);
                                if (again is not null)
                                {
                                    l.Confirm(key, again.Bytes);
                                }

                                return (true, again is not null);
                            }));
                        }

                        break;
                    default:
                        await TryAsync(() => keeper.ChangeAsync(l =>
                        {
                            l.Release(volume, 1);
                            return (true, true);
                        }));
                        break;
                }
            }
        }

        // Sometimes a second activation of the same ledger, as during a partition; lost ones are replaced.
        async Task<LedgerKeeper> PickAsync()
        {
            activations.RemoveAll(a => a.Lost is not null);
            if (activations.Count == 0 || (activations.Count < 3 && random.Next(5) == 0))
            {
                var fresh = new LedgerKeeper("n", store);
                await fresh.LoadAsync(CancellationToken.None);
                activations.Add(fresh);
            }

            return activations[random.Next(activations.Count)];
        }
    }

    private static async Task<LedgerKeeper> SeedLedgerAsync(MemoryRecordStore<NodeRecord> store)
    {
        while (true)
        {
            var keeper = new LedgerKeeper("n", store);
            await keeper.LoadAsync(CancellationToken.None);
            if (await TryAsync(() => keeper.ChangeAsync(l => (l.Apply(Report(), DateTimeOffset.UnixEpoch), true))))
            {
                return keeper;
            }
        }
    }

    private static NodeReport Report() => new()
    {
        NodeName = "n",
        Incarnation = 1,
        Sequence = 1,
        Pools =
        [
            new PoolReport
            {
                Name = "p",
                Policy = PoolPolicy.Lvm,
                SizeBytes = Size,
                ForeignBytes = Foreign,
                ReserveBytes = Reserve,
                GranularityBytes = Unit,
            },
        ],
    };

    private static async Task<ReservationResult?> ReserveAsync(LedgerKeeper keeper, Reservation reservation)
    {
        ReservationResult? result = null;
        await TryAsync(async () =>
        {
            result = await keeper.ChangeAsync(l =>
            {
                var r = l.Reserve(reservation, DateTimeOffset.UnixEpoch);
                return (r, r.Outcome == ReservationOutcome.Reserved);
            });
            return true;
        });
        return result;
    }

    private static async Task<bool> TryAsync<T>(Func<Task<T>> act)
    {
        try
        {
            await act();
            return true;
        }
        catch (StorageException exception) when (exception.Code == StorageErrorCode.Unavailable)
        {
            return false;
        }
    }
}
