using System.Diagnostics;
using Carina.Grains.Errors;
using Carina.Grains.Telemetry;
using Carina.Silo.Backends;
using Carina.Silo.Backends.Lvm;
using Carina.Silo.Tests.Linux;

namespace Carina.Silo.Tests.Backends.Lvm;

/// <summary>Several commands together, and what others do to the disk or to our processes meanwhile.</summary>
[Collection(LvmLabCollection.Name)]
[Trait("Kernel", "device-mapper")]
public sealed class LvmBatchTests : IAsyncDisposable
{
    private const long MiB = LvmLab.MiB;

    private readonly LvmLab _lab = new();

    public ValueTask DisposeAsync() => _lab.DisposeAsync();

    [Fact]
    public async Task A_batch_has_an_outcome_for_each_command_and_none_spoils_another()
    {
        var backend = await _lab.MakePoolAsync();
        TestHost.Run("lvcreate", "-qy", "-n", "volume-foreign", "-L", "4M", _lab.Pool);
        foreach (var volume in new[] { "volume-gone", "volume-open", "volume-kept", "volume-growing", "volume-new-generation" })
            await _lab.DoAsync(backend, _lab.Create(volume, 16 * MiB, volume.EndsWith("generation", StringComparison.Ordinal) ? 9 : 1));

        await using var open = File.OpenRead(backend.FindDevice("volume-open")!.Path);
        var outcomes = await ExecuteAsync(
            backend,
            _lab.Create("volume-made", 16 * MiB),
            _lab.Delete("volume-open"),
            _lab.Create("volume-kept", 16 * MiB),
            _lab.Delete("volume-gone"),
            _lab.Expand("volume-growing", 32 * MiB),
            _lab.Create("volume-huge", 1L << 40),
            _lab.Delete("volume-foreign"),
            _lab.Create("volume-made-too", 16 * MiB),
            _lab.Delete("volume-new-generation"),
            _lab.Delete("volume-never-was"),
            _lab.Expand("volume-missing", 32 * MiB));

        Assert.Equal(
            [
                "volume-made 16", "FailedPrecondition", "volume-kept 16", "-", "volume-growing 32", "ResourceExhausted",
                "FailedPrecondition", "volume-made-too 16", "FailedPrecondition", "-", "NotFound",
            ],
            outcomes);
        Assert.Equal(
            ["volume-foreign", "volume-growing", "volume-kept", "volume-made", "volume-made-too", "volume-new-generation", "volume-open"],
            _lab.Lvs().Keys.Order(StringComparer.Ordinal));
        Assert.DoesNotContain("carina.new", string.Join(' ', _lab.Lvs("lv_tags").Values), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sixteen_at_a_time()
    {
        var backend = await _lab.MakePoolAsync();
        var names = Enumerable.Range(0, 16).Select(i => $"volume-pvc-{i:d2}-{new string('x', 90)}").ToList();
        var made = await ExecuteAsync(backend, [.. names.Select(name => _lab.Create(name, 4 * MiB))]);
        Assert.Equal(names.Select(name => name + " 4"), made);
        Assert.Equal(names, _lab.Lvs().Keys.Order(StringComparer.Ordinal));
        Assert.All(names, name => Assert.NotNull(backend.FindDevice(name)));
        var grown = await ExecuteAsync(backend, [.. names.Select(name => _lab.Expand(name, 8 * MiB))]);
        Assert.Equal(names.Select(name => name + " 8"), grown);
        var deleted = await ExecuteAsync(backend, [.. names.Select(name => _lab.Delete(name))]);
        Assert.All(deleted, outcome => Assert.Equal("-", outcome));
        Assert.Empty(_lab.Lvs());
    }

    [Fact]
    public async Task No_command_asks_what_is_known()
    {
        var backend = await _lab.MakePoolAsync();
        var commands = new List<string>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == CarinaTelemetry.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStarted = activity => commands.Add(activity.OperationName),
        };
        ActivitySource.AddActivityListener(listener);

        await ExecuteAsync(backend, _lab.Create("volume-a", 8 * MiB), _lab.Create("volume-b", 8 * MiB));
        await backend.OpenAsync(_lab.Key("volume-a"), default);
        await ExecuteAsync(backend, _lab.Expand("volume-a", 16 * MiB), _lab.Expand("volume-b", 16 * MiB));
        await ExecuteAsync(backend, _lab.Delete("volume-a"), _lab.Delete("volume-b"));
        await ExecuteAsync(backend, _lab.Delete("volume-a"));
        Assert.Equal(
            ["lvm lvcreate", "lvm lvcreate", "lvm lvchange", "lvm lvextend", "lvm lvextend", "lvm lvremove", "lvm lvremove"],
            commands);
    }

    [Fact]
    public async Task More_than_one_command_line_holds()
    {
        var backend = await _lab.MakePoolAsync();
        var names = Enumerable.Range(0, 40).Select(i => $"volume-{i:d2}").ToList();
        Assert.Equal(names.Select(n => n + " 4"), await ExecuteAsync(backend, [.. names.Select(n => _lab.Create(n, 4 * MiB))]));
        Assert.All(await ExecuteAsync(backend, [.. names.Select(n => _lab.Delete(n))]), outcome => Assert.Equal("-", outcome));
        Assert.Empty(_lab.Lvs());
    }

    [Fact]
    public async Task A_batch_takes_what_fits()
    {
        var backend = await _lab.MakePoolAsync(64);
        var outcomes = await ExecuteAsync(backend, [.. Enumerable.Range(0, 6).Select(i => _lab.Create($"volume-{i}", 12 * MiB))]);
        Assert.Equal(5, outcomes.Count(o => o.EndsWith(" 12", StringComparison.Ordinal)));
        Assert.Equal("ResourceExhausted", outcomes[5]);

        // What is deleted makes room for what is made, in whatever order they are asked for.
        outcomes = await ExecuteAsync(backend, _lab.Create("volume-5", 12 * MiB), _lab.Delete("volume-0"));
        Assert.Equal(["volume-5 12", "-"], outcomes);
    }

    [Fact]
    public async Task A_cancelled_batch_leaves_nothing_between()
    {
        var backend = await _lab.MakePoolAsync();
        using var stop = new CancellationTokenSource();
        _lab.CrashPoints.OnReached = point =>
        {
            if (point.StartsWith("lvm.create.made volume-1", StringComparison.Ordinal))
                stop.Cancel();
        };
        var outcomes = await backend.ExecuteAsync(
            _lab.Pool, [.. Enumerable.Range(0, 4).Select(i => _lab.Create($"volume-{i}", 8 * MiB))], stop.Token);
        Assert.Equal([null, null, StorageErrorCode.Unavailable, StorageErrorCode.Unavailable], outcomes.Select(o => o.Error?.Code));
        Assert.Equal(["volume-0", "volume-1"], _lab.Lvs().Keys.Order(StringComparer.Ordinal));
        Assert.DoesNotContain("carina.new", string.Join(' ', _lab.Lvs("lv_tags").Values), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_killed_lvm_process_costs_nobody_their_volume()
    {
        var backend = await _lab.MakePoolAsync();
        await _lab.DoAsync(backend, _lab.Create("volume-before", 8 * MiB));
        foreach (var process in backend.ProcessIds)
            Process.GetProcessById(process).Kill();

        await _lab.DoAsync(backend, _lab.Create("volume-after", 8 * MiB));

        // Killed at any moment of its work, over and over.
        using var enough = new CancellationTokenSource();
        var killing = KillAsync(backend, enough.Token);
        for (var i = 0; i < 12; i++)
        {
            var name = $"volume-{i}";
            await InsistAsync(backend, _lab.Create(name, 8 * MiB));
            await InsistAsync(backend, _lab.Expand(name, 12 * MiB));
            Assert.Equal(12 * MiB, (await backend.OpenAsync(_lab.Key(name), default)).Bytes);
            if (i % 2 == 0)
                await InsistAsync(backend, _lab.Delete(name));
        }

        await enough.CancelAsync();
        await killing;
        Assert.Equal(
            Enumerable.Range(0, 12).Where(i => i % 2 == 1).Select(i => $"volume-{i}").Concat(["volume-after", "volume-before"]).Order(StringComparer.Ordinal),
            _lab.Lvs().Keys.Order(StringComparer.Ordinal));
        Assert.DoesNotContain("carina.new", string.Join(' ', _lab.Lvs("lv_tags").Values), StringComparison.Ordinal);
    }

    [Fact]
    public async Task At_rest_no_lvm_process_runs_and_the_next_command_starts_one()
    {
        var group = _lab.Group(_lab.MakeDisk());
        var backend = _lab.MakeBackend(group, idle: TimeSpan.FromSeconds(1));
        await backend.ScanAsync([group], default);
        await _lab.DoAsync(backend, _lab.Create("volume-a", 8 * MiB));
        Assert.NotEmpty(LvmProcesses());
        for (var i = 0; i < 100 && LvmProcesses().Count > 0; i++)
            await Task.Delay(100);

        Assert.Empty(LvmProcesses());
        Assert.Empty(backend.ProcessIds);
        Assert.NotNull(backend.FindDevice("volume-a"));
        Assert.Empty(LvmProcesses());
        await _lab.DoAsync(backend, _lab.Delete("volume-a"));
    }

    [Fact]
    public async Task What_other_programs_do_is_seen()
    {
        var backend = await _lab.MakePoolAsync();
        await _lab.DoAsync(backend, _lab.Create("volume-a", 8 * MiB));
        await _lab.DoAsync(backend, _lab.Create("volume-b", 8 * MiB));
        TestHost.Run("lvremove", "-qf", $"{_lab.Pool}/volume-a");
        TestHost.Run("lvextend", "-q", "-L", "40M", $"{_lab.Pool}/volume-b");
        TestHost.Run("lvcreate", "-qy", "-n", "volume-c", "-L", "8M", _lab.Pool);
        Assert.Null(backend.FindDevice("volume-a"));
        Assert.Equal(40 * MiB, backend.FindDevice("volume-b")!.Bytes);
        Assert.Equal(
            StorageErrorCode.NotFound,
            (await Assert.ThrowsAsync<StorageException>(() => backend.OpenAsync(_lab.Key("volume-a"), default))).Code);
        Assert.Equal(40 * MiB, (await _lab.DoAsync(backend, _lab.Expand("volume-b", 16 * MiB)))!.Bytes);
        Assert.Equal(StorageErrorCode.AlreadyExists, (await _lab.FailAsync(backend, _lab.Create("volume-c", 8 * MiB))).Code);
        await _lab.DoAsync(backend, _lab.Create("volume-a", 8 * MiB));
        TestHost.Run("vgchange", "-q", "-an", _lab.Pool);
        Assert.Null(backend.FindDevice("volume-a"));
        Assert.Equal(8 * MiB, (await backend.OpenAsync(_lab.Key("volume-a"), default)).Bytes);
    }

    private async Task<List<string>> ExecuteAsync(LvmBackend backend, params PoolCommand[] commands) =>
    [
        .. (await backend.ExecuteAsync(_lab.Pool, commands, default)).Select(outcome =>
            outcome.Error is { } error ? $"{error.Code}"
            : outcome.Volume is { } volume ? $"{volume.Key.VolumeId} {volume.Bytes / MiB}"
            : "-"),
    ];

    private async Task InsistAsync(LvmBackend backend, PoolCommand command)
    {
        for (var attempt = 0; ; attempt++)
        {
            var outcome = Assert.Single(await backend.ExecuteAsync(_lab.Pool, [command], default));
            if (outcome.Error is null)
                return;

            Assert.True(attempt < 50, outcome.Error.Message);
            Assert.Equal(StorageErrorCode.Unavailable, outcome.Error.Code);
        }
    }

    private static async Task KillAsync(LvmBackend backend, CancellationToken enough)
    {
        var random = new Random(1);
        while (!enough.IsCancellationRequested)
        {
            await Task.Delay(random.Next(50, 1500), CancellationToken.None);
            foreach (var id in backend.ProcessIds)
            {
                try
                {
                    using var process = Process.GetProcessById(id);
                    process.Kill();
                }
                catch (Exception e) when (e is ArgumentException or InvalidOperationException)
                {
                    // It has just ended.
                }
            }
        }
    }

    private static List<int> LvmProcesses() =>
        [.. Process.GetProcessesByName("lvm").Select(p => p.Id)];
}
