using Carina.Grains.Errors;
using Carina.Silo.Backends;

namespace Carina.Silo.Tests.Backends.Lvm;

/// <summary>Random batches against a model of what the disk must hold after them.</summary>
[Collection(LvmLabCollection.Name)]
[Trait("Kernel", "device-mapper")]
public sealed class LvmModelTests(ITestOutputHelper output) : IAsyncDisposable
{
    private const long MiB = LvmLab.MiB;
    private const long Extent = 4 * MiB;
    private const int Volumes = 10;

    private readonly LvmLab _lab = new();

    // Extents and generation of what must be there.
    private readonly SortedDictionary<string, (long Extents, long Generation)> _model = new(StringComparer.Ordinal);
    private long _capacity;

    public ValueTask DisposeAsync() => _lab.DisposeAsync();

    [Fact]
    public async Task Three_hundred_random_commands_leave_the_disk_as_the_model_has_it()
    {
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var group = _lab.Group(_lab.MakeDisk(128));
        var backend = _lab.MakeBackend(group);
        var pool = Assert.Single(await backend.ScanAsync([group], default));
        _capacity = pool.SizeBytes / Extent;
        for (var done = 0; done < 300;)
        {
            var batch = Enumerable.Range(0, random.Next(1, 8))
                .Select(_ => RandomCommand(random))
                .DistinctBy(c => c.Key.VolumeId)
                .ToList();
            var outcomes = await backend.ExecuteAsync(_lab.Pool, batch, default);
            foreach (var (command, outcome) in Ordered(batch, outcomes))
                Check(command, outcome);

            done += batch.Count;
            if (random.Next(10) == 0)
            {
                var report = Assert.Single(await backend.ScanAsync([group], default));
                Assert.Equal(
                    _model.Select(m => (m.Key, m.Value.Extents * Extent, m.Value.Generation, "")),
                    report.Volumes.OrderBy(v => v.Key.VolumeId, StringComparer.Ordinal).Select(v => (v.Key.VolumeId, v.Bytes, v.Key.Generation, v.Problem)));
                Assert.Equal(0, report.ForeignBytes);
            }

            if (random.Next(20) == 0)
            {
                backend = _lab.MakeBackend(group);
                await backend.ScanAsync([group], default);
            }
        }

        Assert.Equal(
            _model.Select(m => (m.Key, $"{m.Value.Extents * Extent}")),
            _lab.Lvs().OrderBy(v => v.Key, StringComparer.Ordinal).Select(v => (v.Key, v.Value)));
        foreach (var (name, volume) in _model)
        {
            var device = await backend.OpenAsync(_lab.Key(name, volume.Generation), default);
            Assert.Equal(volume.Extents * Extent, device.Bytes);
        }
    }

    private PoolCommand RandomCommand(Random random)
    {
        var name = $"volume-{random.Next(Volumes)}";
        var generation = _model.TryGetValue(name, out var there) ? there.Generation : random.Next(1, 4);
        generation += random.Next(10) switch { 0 => 1, 1 => -1, _ => 0 };
        return random.Next(5) switch
        {
            0 or 1 => _lab.Create(name, there.Extents > 0 && random.Next(2) == 0 ? there.Extents * Extent : random.NextInt64(1, 10 * Extent), generation),
            2 or 3 => _lab.Delete(name, generation),
            _ => _lab.Expand(name, random.NextInt64(1, 14 * Extent), generation),
        };
    }

    // Deletions make room first; then creations and expansions in their order.
    private static IEnumerable<(PoolCommand Command, PoolCommandOutcome Outcome)> Ordered(
        List<PoolCommand> batch, IReadOnlyList<PoolCommandOutcome> outcomes) => batch.Zip(outcomes).OrderBy(pair => pair.First.Kind switch
        {
            PoolCommandKind.Delete => 0,
            PoolCommandKind.Create => 1,
            _ => 2,
        });

    private void Check(PoolCommand command, PoolCommandOutcome outcome)
    {
        var expected = Apply(command);
        Assert.True(
            expected == outcome.Error?.Code,
            $"{command}: expected {expected?.ToString() ?? "success"}, got {outcome.Error?.ToString() ?? "success"}");
        if (outcome.Error is null && command.Kind != PoolCommandKind.Delete)
        {
            var there = _model[command.Key.VolumeId];
            Assert.Equal((command.Key, there.Extents * Extent), (outcome.Volume!.Key, outcome.Volume.Bytes));
        }
    }

    /// <summary>What the command must lead to; changes the model where it must succeed.</summary>
    private StorageErrorCode? Apply(PoolCommand command)
    {
        var (name, generation) = (command.Key.VolumeId, command.Key.Generation);
        var extents = (command.Bytes + Extent - 1) / Extent;
        var free = _capacity - _model.Values.Sum(v => v.Extents);
        var isThere = _model.TryGetValue(name, out var there);
        switch (command.Kind)
        {
            case PoolCommandKind.Delete when !isThere || there.Generation < generation:
                return null;
            case PoolCommandKind.Delete when there.Generation == generation:
                _model.Remove(name);
                return null;
            case PoolCommandKind.Create when !isThere && extents <= free:
                _model[name] = (extents, generation);
                return null;
            case PoolCommandKind.Create when !isThere:
                return StorageErrorCode.ResourceExhausted;
            case PoolCommandKind.Expand when !isThere:
                return StorageErrorCode.NotFound;
            case var _ when there.Generation != generation:
                return StorageErrorCode.FailedPrecondition;
            case PoolCommandKind.Create:
                return there.Extents == extents ? null : StorageErrorCode.AlreadyExists;
            case var _ when extents - there.Extents > free:
                return StorageErrorCode.ResourceExhausted;
            default:
                _model[name] = (Math.Max(there.Extents, extents), generation);
                return null;
        }
    }
}
