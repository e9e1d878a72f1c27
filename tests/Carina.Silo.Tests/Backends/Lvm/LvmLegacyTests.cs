using Carina.Grains.Errors;
using Carina.Silo.Backends;
using Carina.Silo.Backends.Lvm;
using Carina.Silo.Tests.Linux;

namespace Carina.Silo.Tests.Backends.Lvm;

/// <summary>Volumes that Carina 0.9 to 0.14 made: without tags, and up to 0.10 in a thin pool each.</summary>
[Collection(LvmLabCollection.Name)]
[Trait("Kernel", "device-mapper")]
public sealed class LvmLegacyTests : IAsyncDisposable
{
    private const string Volume = "volume-pvc-1";
    private const string ThinPool = "thin-pvc-1";
    private const long MiB = LvmLab.MiB;

    private readonly LvmLab _lab = new();

    public ValueTask DisposeAsync()
    {
        // In LVM's order: a thin volume whose pool was torn away first cannot be removed any more.
        TestHost.TryRun("vgchange", "-q", "--config", "activation/monitoring=0", "-an", _lab.Pool);
        return _lab.DisposeAsync();
    }

    [Fact]
    public async Task A_linear_volume_is_taken_over_used_grown_and_deleted()
    {
        var backend = await _lab.MakePoolAsync();
        MakeLinear();
        await WriteAsync("data");
        await AdoptAsync(backend);
        Assert.Equal("data", await ReadAsync(backend));
        Assert.Equal(48 * MiB, (await _lab.DoAsync(backend, _lab.Expand(Volume, 48 * MiB)))!.Bytes);
        Assert.Equal("data", await ReadAsync(backend));
        await backend.CloseAsync(Volume, default);
        await _lab.DoAsync(backend, _lab.Delete(Volume));
        Assert.Empty(_lab.Lvs());
    }

    [Fact]
    public async Task A_thin_volume_grows_with_its_pool_and_both_are_deleted()
    {
        var backend = await _lab.MakePoolAsync();
        MakeThin();
        await WriteAsync("data");
        await AdoptAsync(backend);
        Assert.Equal("data", await ReadAsync(backend));
        Assert.Equal(48 * MiB, (await _lab.DoAsync(backend, _lab.Expand(Volume, 48 * MiB)))!.Bytes);
        Assert.Equal(($"{48 * MiB}", $"{48 * MiB}"), (_lab.Lvs()[Volume], _lab.Lvs()[ThinPool]));
        Assert.Equal("data", await ReadAsync(backend));
        await backend.CloseAsync(Volume, default);
        await _lab.DoAsync(backend, _lab.Delete(Volume));
        Assert.Empty(_lab.Lvs());
    }

    [Fact]
    public async Task Another_process_knows_the_pair_again()
    {
        var first = await _lab.MakePoolAsync();
        MakeThin();
        await AdoptAsync(first);
        var group = _lab.Group();
        var second = _lab.MakeBackend(group);
        var report = Assert.Single(await second.ScanAsync([group], default));
        Assert.Equal((Volume, 32 * MiB), (Assert.Single(report.Volumes).Key.VolumeId, report.Volumes[0].Bytes));
        Assert.Empty(report.Unclaimed);
        await _lab.DoAsync(second, _lab.Expand(Volume, 40 * MiB));
        Assert.Equal($"{40 * MiB}", _lab.Lvs()[ThinPool]);
        await _lab.DoAsync(second, _lab.Delete(Volume));
        Assert.Empty(_lab.Lvs());
    }

    [Fact]
    public async Task A_take_over_that_was_cut_off_is_finished_by_the_next()
    {
        var first = await _lab.MakePoolAsync();
        MakeThin();
        _lab.CrashPoints.DieAt = "lvm.adopt.pool-tagged";
        await Assert.ThrowsAsync<CrashException>(() => first.ExecuteAsync(_lab.Pool, [Adopt(Volume)], default));
        _lab.CrashPoints.DieAt = null;
        Assert.Contains("carina.pool-of=", _lab.Lvs("lv_tags")[ThinPool], StringComparison.Ordinal);
        Assert.Equal("", _lab.Lvs("lv_tags")[Volume]);

        var group = _lab.Group();
        var second = _lab.MakeBackend(group);
        Assert.Equal(Volume, Assert.Single(Assert.Single(await second.ScanAsync([group], default)).Unclaimed).Key.VolumeId);
        await AdoptAsync(second);
        await _lab.DoAsync(second, _lab.Delete(Volume));
        Assert.Empty(_lab.Lvs());
    }

    [Fact]
    public async Task A_scan_shows_them_as_foreign_and_unclaimed()
    {
        var backend = await _lab.MakePoolAsync();
        var group = _lab.Group();
        MakeLinear("volume-pvc-2");
        MakeThin();
        TestHost.Run("lvcreate", "-qy", "-n", "root", "-L", "16M", _lab.Pool);
        var report = Assert.Single(await backend.ScanAsync([group], default));
        Assert.Equal([Volume, "volume-pvc-2"], report.Unclaimed.Select(v => v.Key.VolumeId).Order(StringComparer.Ordinal));
        Assert.Empty(report.Volumes);
        Assert.True(report.ForeignBytes >= 80 * MiB);
        Assert.Equal(4, report.VolumeGroup!.ForeignVolumes);

        await _lab.DoAsync(backend, Adopt(Volume));
        await _lab.DoAsync(backend, Adopt("volume-pvc-2"));
        var after = Assert.Single(await backend.ScanAsync([group], default));
        Assert.Equal(2, after.Volumes.Count);
        Assert.Empty(after.Unclaimed);
        Assert.Equal(report.ForeignBytes - (64 * MiB), after.ForeignBytes);
    }

    [Fact]
    public async Task Nothing_is_deleted_or_grown_before_it_is_taken_over()
    {
        var backend = await _lab.MakePoolAsync();
        MakeLinear();
        Assert.Equal(StorageErrorCode.FailedPrecondition, (await _lab.FailAsync(backend, _lab.Delete(Volume))).Code);
        Assert.Equal(StorageErrorCode.FailedPrecondition, (await _lab.FailAsync(backend, _lab.Expand(Volume, 48 * MiB))).Code);
        Assert.Equal($"{32 * MiB}", _lab.Lvs()[Volume]);
    }

    [Fact]
    public async Task Only_what_Carina_may_have_made_is_taken_over()
    {
        var backend = await _lab.MakePoolAsync();
        MakeLinear();
        Assert.Equal(StorageErrorCode.NotFound, (await _lab.FailAsync(backend, Adopt("volume-pvc-9"))).Code);
        Assert.Equal(StorageErrorCode.FailedPrecondition, (await _lab.FailAsync(backend, Adopt(Volume, 2))).Code);
        TestHost.Run("lvchange", "-q", "--addtag", "carina.volume=volume-other", $"{_lab.Pool}/{Volume}");
        Assert.Equal(StorageErrorCode.FailedPrecondition, (await _lab.FailAsync(backend, Adopt(Volume))).Code);

        // A thin volume in a pool that others may share.
        MakeThinly("--type", "thin-pool", "-L", "32M", "-n", "shared", _lab.Pool);
        MakeThinly("-V", "16M", "--thinpool", "shared", "-n", "volume-pvc-3", _lab.Pool);
        Assert.Equal(StorageErrorCode.FailedPrecondition, (await _lab.FailAsync(backend, Adopt("volume-pvc-3"))).Code);
        Assert.Equal("", _lab.Lvs("lv_tags")["volume-pvc-3"]);
    }

    private PoolCommand Adopt(string volume, long generation = 1) => new(PoolCommandKind.Adopt, _lab.Key(volume, generation), 0);

    private async Task AdoptAsync(LvmBackend backend)
    {
        var adopted = await _lab.DoAsync(backend, Adopt(Volume));
        Assert.Equal((_lab.Key(Volume), 32 * MiB), (adopted!.Key, adopted.Bytes));
        Assert.Equal(
            ["carina", "carina.generation=1", $"carina.volume={Volume}"],
            _lab.Lvs("lv_tags")[Volume].Split(',').Order(StringComparer.Ordinal));

        // Again, as after an answer that was lost.
        Assert.Equal(adopted, await _lab.DoAsync(backend, Adopt(Volume)));
    }

    private void MakeLinear(string volume = Volume) => TestHost.Run("lvcreate", "-qy", "-n", volume, "-L", "32M", _lab.Pool);

    private void MakeThin()
    {
        MakeThinly("-T", $"{_lab.Pool}/{ThinPool}", "--size", "32M");
        MakeThinly("-T", $"{_lab.Pool}/{ThinPool}", "-n", Volume, "-V", "32M");
    }

    // Without the daemon that would grow thin pools by itself: it would outlive the test.
    private static void MakeThinly(params string[] arguments) =>
        TestHost.Run("lvcreate", ["-qy", "--config", "activation/monitoring=0", .. arguments]);

    private Task WriteAsync(string text) => File.WriteAllTextAsync($"/dev/{_lab.Pool}/{Volume}", text);

    private async Task<string> ReadAsync(LvmBackend backend)
    {
        var device = await backend.OpenAsync(_lab.Key(Volume), default);
        var head = new byte[4];
        await using var stream = File.OpenRead(device.Path);
        await stream.ReadExactlyAsync(head);
        return System.Text.Encoding.ASCII.GetString(head);
    }
}
