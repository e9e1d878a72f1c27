using Carina.Grains.Errors;
using Carina.Silo.Backends;
using Carina.Silo.Backends.Lvm;
using Carina.Silo.Copying;
using Carina.Silo.Tests.Linux;

namespace Carina.Silo.Tests.Backends.Lvm;

/// <summary>Logical volumes get other handles, and are read where they lie.</summary>
[Collection(LvmLabCollection.Name)]
[Trait("Kernel", "device-mapper")]
public sealed class LvmRenameTests : IAsyncDisposable
{
    private const string Volume = "volume-pvc-1";
    private const string Aside = "volume-pvc-1.retired-1";
    private const long MiB = LvmLab.MiB;

    private readonly LvmLab _lab = new();

    public ValueTask DisposeAsync() => _lab.DisposeAsync();

    [Fact]
    public async Task A_volume_is_put_aside_made_anew_and_both_are_known_to_another_process()
    {
        var backend = await _lab.MakePoolAsync();
        await _lab.DoAsync(backend, _lab.Create(Volume, 32 * MiB));
        await WriteAsync(backend, Volume, 1);
        var renamed = await _lab.DoAsync(backend, Rename(Volume, 1, Aside, 1));
        Assert.Equal((_lab.Key(Aside), 32 * MiB), (renamed!.Key, renamed.Bytes));
        Assert.Null(backend.FindDevice(Volume));
        Assert.Null(backend.FindDevice(Aside));

        // Again, as after an answer that was lost.
        Assert.Equal(renamed, await _lab.DoAsync(backend, Rename(Volume, 1, Aside, 1)));
        await _lab.DoAsync(backend, _lab.Create(Volume, 32 * MiB, generation: 3));
        Assert.Equal(renamed, await _lab.DoAsync(backend, Rename(Volume, 1, Aside, 1)));
        await WriteAsync(backend, Volume, 3, generation: 3);

        var group = _lab.Group();
        var second = _lab.MakeBackend(group);
        var report = Assert.Single(await second.ScanAsync([group], default));
        Assert.Equal([_lab.Key(Volume, 3), _lab.Key(Aside)], report.Volumes.Select(v => v.Key).OrderBy(k => k.VolumeId, StringComparer.Ordinal));
        Assert.Equal(1, await ReadAsync(second, Aside));
        Assert.Equal(3, await ReadAsync(second, Volume, generation: 3));

        // Restored: the other way round.
        await _lab.DoAsync(second, Rename(Volume, 3, "volume-pvc-1.retired-3", 3));
        await _lab.DoAsync(second, Rename(Aside, 1, Volume, 4));
        Assert.Equal(1, await ReadAsync(second, Volume, generation: 4));
        await _lab.DoAsync(second, _lab.Delete("volume-pvc-1.retired-3", 3));
        await _lab.DoAsync(second, _lab.Delete(Volume, 4));
        Assert.Empty(_lab.Lvs());
    }

    [Theory]
    [InlineData("lvm.rename.closed")]
    [InlineData("lvm.rename.named")]
    [InlineData("lvm.rename.after")]
    public async Task A_renaming_that_was_cut_off_is_finished_by_the_next(string point)
    {
        var first = await _lab.MakePoolAsync();
        await _lab.DoAsync(first, _lab.Create(Volume, 32 * MiB));
        await WriteAsync(first, Volume, 1);
        _lab.CrashPoints.DieAt = point;
        await Assert.ThrowsAsync<CrashException>(() => first.ExecuteAsync(_lab.Pool, [Rename(Volume, 1, Aside, 7)], default));
        _lab.CrashPoints.DieAt = null;
        var group = _lab.Group();
        var second = _lab.MakeBackend(group);
        await second.ScanAsync([group], default);
        await _lab.DoAsync(second, Rename(Volume, 1, Aside, 7));
        Assert.Equal([Aside], _lab.Lvs().Keys);
        Assert.Equal(1, await ReadAsync(second, Aside, generation: 7));
    }

    [Fact]
    public async Task What_is_in_use_not_ours_or_in_the_way_is_left_alone()
    {
        var backend = await _lab.MakePoolAsync();
        await _lab.DoAsync(backend, _lab.Create(Volume, 32 * MiB));
        var device = await backend.OpenAsync(_lab.Key(Volume), default);
        await using (File.OpenRead(device.Path))
            Assert.Equal(StorageErrorCode.FailedPrecondition, (await _lab.FailAsync(backend, Rename(Volume, 1, Aside, 1))).Code);

        Assert.Equal(StorageErrorCode.FailedPrecondition, (await _lab.FailAsync(backend, Rename(Volume, 2, Aside, 2))).Code);
        Assert.Equal(StorageErrorCode.NotFound, (await _lab.FailAsync(backend, Rename("volume-pvc-9", 1, "volume-pvc-9.retired-1", 1))).Code);
        await _lab.DoAsync(backend, _lab.Create("volume-pvc-2", 32 * MiB));
        Assert.Equal(StorageErrorCode.FailedPrecondition, (await _lab.FailAsync(backend, Rename(Volume, 1, "volume-pvc-2", 1))).Code);
        await _lab.DoAsync(backend, _lab.Delete("volume-pvc-2"));
        TestHost.Run("lvcreate", "-qy", "-n", Aside, "-L", "16M", _lab.Pool);
        Assert.Equal(StorageErrorCode.FailedPrecondition, (await _lab.FailAsync(backend, Rename(Volume, 1, Aside, 1))).Code);
        Assert.Equal([Volume, Aside], _lab.Lvs().Keys.Order(StringComparer.Ordinal));
        Assert.Equal("", _lab.Lvs("lv_tags")[Aside]);
    }

    [Fact]
    public async Task A_volume_in_pieces_on_two_disks_is_read_as_its_device_shows_it()
    {
        var group = _lab.Group(_lab.MakeDisk(64), _lab.MakeDisk(64));
        var backend = _lab.MakeBackend(group);
        await backend.ScanAsync([group], default);
        await _lab.DoAsync(backend, _lab.Create(Volume, 24 * MiB));
        await _lab.DoAsync(backend, _lab.Create("volume-pvc-2", 16 * MiB));
        await _lab.DoAsync(backend, _lab.Expand(Volume, 72 * MiB));
        var device = await backend.OpenAsync(_lab.Key(Volume), default);
        var written = new byte[72 * MiB];
        Random.Shared.NextBytes(written);
        await using (var stream = File.OpenWrite(device.Path))
        {
            await stream.WriteAsync(written);
            stream.Flush(flushToDisk: true);
        }

        Assert.True(TestHost.Run("lvs", "--noheadings", "-o", "seg_count", $"{_lab.Pool}/{Volume}").Trim() is not "1");
        foreach (var isActive in new[] { true, false })
        {
            if (!isActive)
                await backend.CloseAsync(Volume, default);

            using var content = await backend.OpenForReadingAsync(_lab.Key(Volume), default);
            Assert.Equal(written.Length, content.Bytes);
            var buffer = VolumeContent.AllocateBuffer(written.Length);
            content.Read(0, buffer.Span);
            Assert.True(buffer.Span.SequenceEqual(written));
        }
    }

    private PoolCommand Rename(string volume, long generation, string to, long newGeneration) =>
        new(PoolCommandKind.Rename, _lab.Key(volume, generation), 0) { NewKey = _lab.Key(to, newGeneration) };

    private async Task WriteAsync(LvmBackend backend, string volume, byte value, long generation = 1)
    {
        using var content = await backend.OpenForWritingAsync(_lab.Key(volume, generation), default);
        var buffer = VolumeContent.AllocateBuffer(4096);
        buffer.Span.Fill(value);
        content.Write(0, buffer.Span);
        content.Flush();
    }

    private async Task<byte> ReadAsync(LvmBackend backend, string volume, long generation = 1)
    {
        using var content = await backend.OpenForReadingAsync(_lab.Key(volume, generation), default);
        var buffer = VolumeContent.AllocateBuffer(4096);
        content.Read(0, buffer.Span);
        return buffer.Span[^1];
    }
}
