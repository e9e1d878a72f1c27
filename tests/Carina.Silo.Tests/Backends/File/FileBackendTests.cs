using System.Text;
using Carina.Grains.Agents;
using Carina.Grains.Configuration;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Carina.Silo.Backends;
using Carina.Silo.Backends.File;
using Carina.Silo.Processes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carina.Silo.Tests.Backends.File;

/// <summary>Real files on the machine's own file system behind real loop devices.</summary>
public sealed class FileBackendTests : IAsyncLifetime
{
    private const long MiB = 1 << 20;
    private static readonly DiskVolumeKey Key = new("volume-a", "pool", 1);
    private readonly string _root = Directory.CreateTempSubdirectory("carina-file-").FullName;
    private readonly ProcessRunner _commands = new(TimeProvider.System, NullLogger<ProcessRunner>.Instance);
    private readonly FileBackend _backend;

    public FileBackendTests() => _backend = NewBackend();

    private string PoolPath => Path.Combine(_root, "pool");

    private string VolumePath => Path.Combine(PoolPath, "volume-a.img");

    public async ValueTask InitializeAsync() => Assert.Equal("", (await ScanAsync(_backend)).Problem);

    public async ValueTask DisposeAsync()
    {
        foreach (var file in Directory.EnumerateFiles(_root, "*.img", SearchOption.AllDirectories))
        {
            var loops = await _commands.RunAsync("losetup", ["--noheadings", "--output", "NAME", "--associated", file], default);
            foreach (var loop in loops.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                await _commands.RunAsync("losetup", ["--detach", loop.Trim()], default);
            }
        }

        Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public async Task A_volume_is_made_opened_grown_closed_and_removed()
    {
        var made = (await RunAsync(PoolCommandKind.Create, 8 * MiB)).Volume!;
        Assert.Equal((8 * MiB, VolumePath), (made.Bytes, made.DevicePath));
        Assert.Null(_backend.FindDevice("volume-a"));

        var device = await _backend.OpenAsync(Key, default);
        Assert.Equal(8 * MiB, device.Bytes);
        Assert.Equal(device, await _backend.OpenAsync(Key, default));
        Assert.Equal(device, _backend.FindDevice("volume-a"));
        await System.IO.File.WriteAllBytesAsync(device.Path, Encoding.UTF8.GetBytes("kept"));

        Assert.Equal(16 * MiB, (await RunAsync(PoolCommandKind.Expand, 16 * MiB)).Volume!.Bytes);
        Assert.Equal(16 * MiB, _backend.FindDevice("volume-a")!.Bytes);
        Assert.Equal(16 * MiB, (await RunAsync(PoolCommandKind.Expand, 12 * MiB)).Volume!.Bytes);

        await _backend.CloseAsync("volume-a", default);
        await _backend.CloseAsync("volume-a", default);
        Assert.Null(_backend.FindDevice("volume-a"));
        using (var again = System.IO.File.OpenRead((await _backend.OpenAsync(Key, default)).Path))
        {
            var head = new byte[4];
            await again.ReadExactlyAsync(head);
            Assert.Equal("kept", Encoding.UTF8.GetString(head));
        }

        Assert.Null((await RunAsync(PoolCommandKind.Delete, 0)).Error);
        Assert.Null((await RunAsync(PoolCommandKind.Delete, 0)).Error);
        Assert.False(System.IO.File.Exists(VolumePath));
        Assert.Empty((await ScanAsync(_backend)).Volumes);
    }

    [Fact]
    public async Task What_is_there_is_found_again_by_another_process()
    {
        await RunAsync(PoolCommandKind.Create, 8 * MiB);
        var device = await _backend.OpenAsync(Key, default);
        var fresh = NewBackend();
        Assert.Equal(Key, Assert.Single((await ScanAsync(fresh)).Volumes).Key);
        Assert.Equal(device, fresh.FindDevice("volume-a"));
    }

    [Fact]
    public async Task Making_it_twice_makes_one_and_another_size_is_refused()
    {
        await RunAsync(PoolCommandKind.Create, 8 * MiB);
        Assert.Equal(8 * MiB, (await RunAsync(PoolCommandKind.Create, 8 * MiB)).Volume!.Bytes);
        Assert.Equal(StorageErrorCode.AlreadyExists, (await RunAsync(PoolCommandKind.Create, 12 * MiB)).Error!.Code);
    }

    [Theory]
    [InlineData(PoolCommandKind.Create)]
    [InlineData(PoolCommandKind.Expand)]
    [InlineData(PoolCommandKind.Delete)]
    public async Task A_file_that_is_not_provably_ours_is_left_alone(PoolCommandKind kind)
    {
        await System.IO.File.WriteAllTextAsync(VolumePath, "somebody's");
        var error = (await RunAsync(kind, 8 * MiB)).Error!;
        Assert.Equal(StorageErrorCode.FailedPrecondition, error.Code);
        Assert.Contains(VolumePath, error.Message, StringComparison.Ordinal);
        Assert.Equal("somebody's", await System.IO.File.ReadAllTextAsync(VolumePath));
        Assert.Empty((await ScanAsync(_backend)).Volumes);
    }

    [Theory]
    [InlineData(PoolCommandKind.Create)]
    [InlineData(PoolCommandKind.Expand)]
    [InlineData(PoolCommandKind.Delete)]
    public async Task Another_generation_is_left_alone(PoolCommandKind kind)
    {
        await RunAsync(PoolCommandKind.Create, 8 * MiB);
        var outcome = await RunAsync(_backend, new PoolCommand(kind, Key with { Generation = 2 }, 8 * MiB));
        Assert.Equal(StorageErrorCode.FailedPrecondition, outcome.Error!.Code);
        Assert.Equal(1, Assert.Single((await ScanAsync(_backend)).Volumes).Key.Generation);
    }

    [Fact]
    public async Task A_device_in_use_is_neither_closed_nor_deleted()
    {
        await RunAsync(PoolCommandKind.Create, 8 * MiB);
        var device = await _backend.OpenAsync(Key, default);
        Assert.Equal(0, (await _commands.RunAsync("mkfs.ext4", ["-q", device.Path], default)).ExitCode);
        var mount = Directory.CreateDirectory(Path.Combine(_root, "mnt")).FullName;
        Assert.Equal(0, (await _commands.RunAsync("mount", [device.Path, mount], default)).ExitCode);
        try
        {
            Assert.Equal(StorageErrorCode.FailedPrecondition, (await RunAsync(PoolCommandKind.Delete, 0)).Error!.Code);
            var error = await Assert.ThrowsAsync<StorageException>(() => _backend.CloseAsync("volume-a", default));
            Assert.Equal(StorageErrorCode.FailedPrecondition, error.Code);
        }
        finally
        {
            await _commands.RunAsync("umount", [mount], default);
        }

        Assert.True(System.IO.File.Exists(VolumePath));
        Assert.Null((await RunAsync(PoolCommandKind.Delete, 0)).Error);
    }

    [Fact]
    public async Task The_disk_is_the_second_guard_behind_the_ledger()
    {
        var backend = NewBackend();
        await ScanAsync(backend, capacity: 20 * MiB);
        Assert.Null((await RunAsync(backend, new(PoolCommandKind.Create, Key, 16 * MiB))).Error);
        var other = new DiskVolumeKey("volume-b", "pool", 1);
        var full = (await RunAsync(backend, new(PoolCommandKind.Create, other, 8 * MiB))).Error!;
        Assert.Equal(StorageErrorCode.ResourceExhausted, full.Code);
        Assert.Equal(
            StorageErrorCode.ResourceExhausted,
            (await RunAsync(backend, new(PoolCommandKind.Expand, Key, 24 * MiB))).Error!.Code);
        Assert.Single((await ScanAsync(backend, capacity: 20 * MiB)).Volumes);
    }

    [Fact]
    public async Task What_others_put_beside_the_volumes_counts_as_foreign()
    {
        var before = await ScanAsync(_backend);
        var stranger = new byte[32 * MiB];
        Random.Shared.NextBytes(stranger);
        var path = Path.Combine(PoolPath, "stranger");
        await using (var file = System.IO.File.Create(path))
        {
            await file.WriteAsync(stranger);
            file.Flush(flushToDisk: true);
        }

        // Others use this file system too; half of what was written must show.
        Assert.InRange((await ScanAsync(_backend)).ForeignBytes - before.ForeignBytes, 16 * MiB, 10L << 30);
    }

    [Fact]
    public async Task A_pool_that_cannot_be_used_says_why()
    {
        var link = Path.Combine(_root, "link");
        Directory.CreateSymbolicLink(link, PoolPath);
        foreach (var bad in (string[])[link, Path.Combine(_root, "no", "parent"), "/proc/self/environ"])
        {
            var report = Assert.Single(await NewBackend().ScanAsync([Group(bad, 0)], default));
            Assert.NotEqual("", report.Problem);
        }
    }

    [Fact]
    public async Task One_bad_command_does_not_stop_the_batch()
    {
        await System.IO.File.WriteAllTextAsync(Path.Combine(PoolPath, "volume-b.img"), "somebody's");
        var outcomes = await _backend.ExecuteAsync(
            "pool",
            [
                new(PoolCommandKind.Create, Key, 8 * MiB),
                new(PoolCommandKind.Create, new("volume-b", "pool", 1), 8 * MiB),
                new(PoolCommandKind.Create, new("volume-c", "pool", 1), 8 * MiB),
            ],
            default);
        Assert.Equal([true, false, true], outcomes.Select(o => o.Error is null));
    }

    private static DiskGroup Group(string directory, long capacity) => new()
    {
        Name = "pool",
        Policy = PoolPolicy.File,
        Directory = directory,
        ReserveBytes = 0,
        CapacityBytes = capacity,
    };

    private static async Task<PoolCommandOutcome> RunAsync(FileBackend backend, PoolCommand command) =>
        Assert.Single(await backend.ExecuteAsync("pool", [command], default));

    private FileBackend NewBackend() => new(new LoopDevices(_commands), new NoCrashPoints());

    private async Task<PoolReport> ScanAsync(FileBackend backend, long capacity = 0) =>
        Assert.Single(await backend.ScanAsync([Group(PoolPath, capacity)], default));

    private Task<PoolCommandOutcome> RunAsync(PoolCommandKind kind, long bytes) =>
        RunAsync(_backend, new PoolCommand(kind, Key, bytes));
}
