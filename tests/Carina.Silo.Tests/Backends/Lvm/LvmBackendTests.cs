using Carina.Grains.Errors;
using Carina.Silo.Backends;
using Carina.Silo.Backends.Lvm;
using Carina.Silo.Tests.Linux;

namespace Carina.Silo.Tests.Backends.Lvm;

/// <summary>The life of volumes, one by one, on real disks.</summary>
[Collection(LvmLabCollection.Name)]
[Trait("Kernel", "device-mapper")]
public sealed class LvmBackendTests : IAsyncDisposable
{
    private const long MiB = LvmLab.MiB;

    private readonly LvmLab _lab = new();

    public ValueTask DisposeAsync() => _lab.DisposeAsync();

    [Fact]
    public async Task A_volume_that_was_formatted_is_known_to_be_ever_after()
    {
        var group = _lab.Group(_lab.MakeDisk());
        var backend = _lab.MakeBackend(group);
        await backend.ScanAsync([group], default);
        var key = _lab.Key("volume-pvc-1");
        await _lab.DoAsync(backend, _lab.Create("volume-pvc-1", 32 * MiB));
        Assert.False(await backend.WasFormattedAsync(key, default));
        await backend.RememberFormattedAsync(key, default);
        await backend.RememberFormattedAsync(key, default);
        Assert.True(await backend.WasFormattedAsync(key, default));
        Assert.Contains("carina.formatted", _lab.Lvs("lv_tags")["volume-pvc-1"], StringComparison.Ordinal);

        // Another process, which knows what the disk says and no more.
        var next = _lab.MakeBackend(group);
        await next.ScanAsync([group], default);
        Assert.True(await next.WasFormattedAsync(key, default));
        await Assert.ThrowsAsync<StorageException>(() => next.WasFormattedAsync(_lab.Key("volume-pvc-1", 2), default));
        await Assert.ThrowsAsync<StorageException>(() => next.RememberFormattedAsync(_lab.Key("volume-pvc-1", 2), default));

        // A volume of the same name, made anew, is new.
        await _lab.DoAsync(next, _lab.Delete("volume-pvc-1"));
        await _lab.DoAsync(next, _lab.Create("volume-pvc-1", 32 * MiB, 2));
        Assert.False(await next.WasFormattedAsync(_lab.Key("volume-pvc-1", 2), default));
    }

    [Fact]
    public async Task A_volumes_life()
    {
        var backend = await _lab.MakePoolAsync();
        Assert.Null(backend.FindDevice("volume-pvc-1"));

        var made = await _lab.DoAsync(backend, _lab.Create("volume-pvc-1", 32 * MiB));
        Assert.Equal((_lab.Key("volume-pvc-1"), 32 * MiB, ""), (made!.Key, made.Bytes, made.Problem));
        Assert.Equal($"/dev/{_lab.Pool}/volume-pvc-1", made.DevicePath);
        Assert.Equal($"{32 * MiB}", _lab.Lvs()["volume-pvc-1"]);
        Assert.Equal(
            ["carina", "carina.generation=1", "carina.volume=volume-pvc-1"],
            _lab.Lvs("lv_tags")["volume-pvc-1"].Split(',').Order(StringComparer.Ordinal));
        Assert.Equal("linear", _lab.Lvs("segtype")["volume-pvc-1"]);

        var device = await backend.OpenAsync(_lab.Key("volume-pvc-1"), default);
        Assert.Matches("^/dev/dm-[0-9]+$", device.Path);
        Assert.Equal(32 * MiB, device.Bytes);
        Assert.Equal(device, backend.FindDevice("volume-pvc-1"));
        Assert.Equal($"{device.Major}:{device.Minor}", File.ReadAllText($"/sys/class/block/{Path.GetFileName(device.Path)}/dev").Trim());

        await File.WriteAllTextAsync(device.Path, "data");
        var grown = await _lab.DoAsync(backend, _lab.Expand("volume-pvc-1", 48 * MiB));
        Assert.Equal(48 * MiB, grown!.Bytes);
        Assert.Equal(48 * MiB, backend.FindDevice("volume-pvc-1")!.Bytes);

        await backend.CloseAsync("volume-pvc-1", default);
        await backend.CloseAsync("volume-pvc-1", default);
        Assert.Null(backend.FindDevice("volume-pvc-1"));
        Assert.DoesNotContain("volume", string.Join(' ', Directory.EnumerateFileSystemEntries("/dev/mapper")), StringComparison.Ordinal);

        device = await backend.OpenAsync(_lab.Key("volume-pvc-1"), default);
        Assert.Equal(48 * MiB, device.Bytes);
        var head = new byte[4];
        await using (var stream = File.OpenRead(device.Path))
            await stream.ReadExactlyAsync(head);

        Assert.Equal("data"u8.ToArray(), head);
        Assert.Null(await _lab.DoAsync(backend, _lab.Delete("volume-pvc-1")));
        Assert.Null(backend.FindDevice("volume-pvc-1"));
        Assert.Empty(_lab.Lvs());
        Assert.Equal(
            ["lvm.create.before", "lvm.create.made", "lvm.create.erased", "lvm.create.after", "lvm.expand.before", "lvm.expand.after", "lvm.delete.before", "lvm.delete.after"],
            _lab.CrashPoints.Reached.Select(p => p.Split(' ')[0]));
    }

    [Fact]
    public async Task Every_command_may_be_repeated()
    {
        var backend = await _lab.MakePoolAsync();
        for (var i = 0; i < 3; i++)
            Assert.Equal(32 * MiB, (await _lab.DoAsync(backend, _lab.Create("volume-a", 32 * MiB)))!.Bytes);

        for (var i = 0; i < 3; i++)
            Assert.Equal(40 * MiB, (await _lab.DoAsync(backend, _lab.Expand("volume-a", 40 * MiB)))!.Bytes);

        // Larger than asked for is left as it is.
        Assert.Equal(40 * MiB, (await _lab.DoAsync(backend, _lab.Expand("volume-a", 36 * MiB)))!.Bytes);
        Assert.Equal(["volume-a"], _lab.Lvs().Keys);
        for (var i = 0; i < 3; i++)
            Assert.Null(await _lab.DoAsync(backend, _lab.Delete("volume-a")));

        Assert.Null(await _lab.DoAsync(backend, _lab.Delete("volume-never-was")));
    }

    [Fact]
    public async Task A_size_between_extents_is_rounded_up()
    {
        var backend = await _lab.MakePoolAsync();
        Assert.Equal(4 * MiB, (await _lab.DoAsync(backend, _lab.Create("volume-a", 1)))!.Bytes);
        Assert.Equal(4 * MiB, (await _lab.DoAsync(backend, _lab.Create("volume-a", 3 * MiB)))!.Bytes);
        Assert.Equal(8 * MiB, (await _lab.DoAsync(backend, _lab.Expand("volume-a", (4 * MiB) + 1)))!.Bytes);
    }

    [Fact]
    public async Task Another_size_or_generation_is_told()
    {
        var backend = await _lab.MakePoolAsync();
        await _lab.DoAsync(backend, _lab.Create("volume-a", 32 * MiB, generation: 5));

        var other = await _lab.FailAsync(backend, _lab.Create("volume-a", 64 * MiB, generation: 5));
        Assert.Equal(StorageErrorCode.AlreadyExists, other.Code);
        Assert.Contains($"{32 * MiB}", other.Message, StringComparison.Ordinal);
        Assert.Contains($"{64 * MiB}", other.Message, StringComparison.Ordinal);

        foreach (var command in new[] { _lab.Create("volume-a", 32 * MiB, 4), _lab.Expand("volume-a", 64 * MiB, 4), _lab.Delete("volume-a", 4) })
        {
            var stale = await _lab.FailAsync(backend, command);
            Assert.Equal(StorageErrorCode.FailedPrecondition, stale.Code);
            Assert.Contains("generation 5", stale.Message, StringComparison.Ordinal);
        }

        Assert.Equal(
            StorageErrorCode.FailedPrecondition,
            (await Assert.ThrowsAsync<StorageException>(() => backend.OpenAsync(_lab.Key("volume-a", 4), default))).Code);
        Assert.Equal(StorageErrorCode.FailedPrecondition, (await _lab.FailAsync(backend, _lab.Create("volume-a", 32 * MiB, 6))).Code);

        // Of generation 6 there is nothing to delete; generation 5 is not its business.
        Assert.Null(await _lab.DoAsync(backend, _lab.Delete("volume-a", 6)));
        Assert.Equal($"{32 * MiB}", _lab.Lvs()["volume-a"]);
    }

    [Fact]
    public async Task What_is_not_there_is_told()
    {
        var backend = await _lab.MakePoolAsync();
        Assert.Equal(StorageErrorCode.NotFound, (await _lab.FailAsync(backend, _lab.Expand("volume-a", 32 * MiB))).Code);
        Assert.Equal(
            StorageErrorCode.NotFound,
            (await Assert.ThrowsAsync<StorageException>(() => backend.OpenAsync(_lab.Key("volume-a"), default))).Code);
        await backend.CloseAsync("volume-a", default);
        Assert.Equal(
            StorageErrorCode.FailedPrecondition,
            (await Assert.ThrowsAsync<StorageException>(() => backend.ExecuteAsync("other", [], default))).Code);
    }

    [Fact]
    public async Task A_full_pool_is_told_with_numbers_and_changes_nothing()
    {
        var backend = await _lab.MakePoolAsync(64);
        await _lab.DoAsync(backend, _lab.Create("volume-a", 40 * MiB));
        var full = await _lab.FailAsync(backend, _lab.Create("volume-b", 40 * MiB));
        Assert.Equal(StorageErrorCode.ResourceExhausted, full.Code);
        Assert.Contains($"{40 * MiB} bytes", full.Message, StringComparison.Ordinal);
        Assert.Contains("5 extents", full.Message, StringComparison.Ordinal);

        full = await _lab.FailAsync(backend, _lab.Expand("volume-a", 1L << 50));
        Assert.Equal(StorageErrorCode.ResourceExhausted, full.Code);
        Assert.Equal($"{40 * MiB}", Assert.Single(_lab.Lvs()).Value);

        // Repeats succeed though nothing more would fit.
        await _lab.DoAsync(backend, _lab.Create("volume-c", 20 * MiB));
        await _lab.DoAsync(backend, _lab.Create("volume-a", 40 * MiB));
        await _lab.DoAsync(backend, _lab.Expand("volume-a", 40 * MiB));
    }

    [Fact]
    public async Task A_volume_in_use_is_not_deleted_or_closed()
    {
        var backend = await _lab.MakePoolAsync();
        await _lab.DoAsync(backend, _lab.Create("volume-a", 32 * MiB));
        await using (File.OpenRead((await backend.OpenAsync(_lab.Key("volume-a"), default)).Path))
        {
            var used = await _lab.FailAsync(backend, _lab.Delete("volume-a"));
            Assert.Equal(StorageErrorCode.FailedPrecondition, used.Code);
            Assert.Contains("in use", used.Message, StringComparison.Ordinal);
            used = await Assert.ThrowsAsync<StorageException>(() => backend.CloseAsync("volume-a", default));
            Assert.Equal(StorageErrorCode.FailedPrecondition, used.Code);
            Assert.Equal(40 * MiB, (await _lab.DoAsync(backend, _lab.Expand("volume-a", 40 * MiB)))!.Bytes);
        }

        await _lab.DoAsync(backend, _lab.Delete("volume-a"));
        Assert.Empty(_lab.Lvs());
    }

    [Fact]
    public async Task A_volume_that_is_open_for_a_moment_is_deleted_when_it_has_passed()
    {
        var backend = await _lab.MakePoolAsync();
        await _lab.DoAsync(backend, _lab.Create("volume-a", 32 * MiB));
        var open = File.OpenRead(backend.FindDevice("volume-a")!.Path);
        var closing = Task.Delay(300).ContinueWith(_ => open.Dispose(), TaskScheduler.Default);
        await _lab.DoAsync(backend, _lab.Delete("volume-a"));
        await closing;
    }

    [Fact]
    public async Task Logical_volumes_of_others_are_never_touched()
    {
        var backend = await _lab.MakePoolAsync();
        TestHost.Run("lvcreate", "-y", "-n", "volume-pvc-1", "-L", "32M", _lab.Pool);
        TestHost.Run("lvcreate", "-y", "-n", "volume-pvc-2", "-L", "32M", "--addtag", "carina", "--addtag", "carina.volume=volume-pvc-9", "--addtag", "carina.generation=1", _lab.Pool);
        foreach (var volume in new[] { "volume-pvc-1", "volume-pvc-2" })
        {
            var taken = await _lab.FailAsync(backend, _lab.Create(volume, 32 * MiB));
            Assert.Equal(StorageErrorCode.AlreadyExists, taken.Code);
            Assert.Contains("not Carina's", taken.Message, StringComparison.Ordinal);
            Assert.Equal(StorageErrorCode.FailedPrecondition, (await _lab.FailAsync(backend, _lab.Expand(volume, 64 * MiB))).Code);
            Assert.Equal(StorageErrorCode.FailedPrecondition, (await _lab.FailAsync(backend, _lab.Delete(volume))).Code);
            await Assert.ThrowsAsync<StorageException>(() => backend.OpenAsync(_lab.Key(volume), default));
        }

        Assert.Equal([$"{32 * MiB}", $"{32 * MiB}"], _lab.Lvs().Values);
    }

    [Theory]
    [InlineData(false, "mkfs.ext4", "-q", "-F")]
    [InlineData(true, "mkfs.ext4", "-q", "-F")]
    [InlineData(false, "mkfs.xfs", "-q", "-f")]
    [InlineData(false, "mkfs.btrfs", "-q", "-f")]
    [InlineData(false, "pvcreate", "-q", "-y", "--config", "devices/scan_lvs=1")]
    public async Task A_new_volume_shows_nothing_of_what_its_disk_held(bool wipeBeforeUdev, string program, params string[] arguments)
    {
        var backend = await _lab.MakePoolAsync(512, wipeBeforeUdev);
        var old = await _lab.DoAsync(backend, _lab.Create("volume-old", 400 * MiB));
        var device = backend.FindDevice("volume-old")!;
        await FillAsync(device, 0x5a);
        TestHost.Run(program, [.. arguments, device.Path]);
        Assert.NotEqual("", TestHost.Run("wipefs", "--no-act", device.Path));
        await _lab.DoAsync(backend, _lab.Delete("volume-old"));

        await _lab.DoAsync(backend, _lab.Create("volume-new", old!.Bytes));
        device = backend.FindDevice("volume-new")!;
        Assert.Equal("", TestHost.Run("wipefs", "--no-act", device.Path));
        Assert.True(await IsZeroAsync(device, 0, (int)SignatureEraser.Margin));
        Assert.True(await IsZeroAsync(device, device.Bytes - SignatureEraser.Margin, (int)SignatureEraser.Margin));
    }

    private static async Task FillAsync(VolumeDevice device, byte value)
    {
        await using var stream = File.OpenWrite(device.Path);
        var block = new byte[MiB];
        Array.Fill(block, value);
        for (var written = 0L; written < device.Bytes; written += MiB)
            await stream.WriteAsync(block);

        stream.Flush(flushToDisk: true);
    }

    private static async Task<bool> IsZeroAsync(VolumeDevice device, long start, int length)
    {
        await using var stream = File.OpenRead(device.Path);
        stream.Position = start;
        var block = new byte[length];
        await stream.ReadExactlyAsync(block);
        return !block.AsSpan().ContainsAnyExcept((byte)0);
    }
}
