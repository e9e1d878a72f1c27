using Carina.Grains.Errors;
using Carina.Silo.Tests.Linux;

namespace Carina.Silo.Tests.Backends.Lvm;

/// <summary>A process that dies between two steps, and the next that is asked the same again.</summary>
[Collection(LvmLabCollection.Name)]
[Trait("Kernel", "device-mapper")]
public sealed class LvmCrashTests : IAsyncDisposable
{
    private const long MiB = LvmLab.MiB;

    private readonly LvmLab _lab = new();

    public ValueTask DisposeAsync() => _lab.DisposeAsync();

    [Theory]
    [InlineData("lvm.create.before")]
    [InlineData("lvm.create.made")]
    [InlineData("lvm.create.erased")]
    [InlineData("lvm.create.after")]
    public async Task A_creation_that_was_cut_off_is_finished_by_its_repeat(string step)
    {
        var disk = _lab.MakeDisk();
        var group = _lab.Group(disk);
        var first = _lab.MakeBackend(group);
        await first.ScanAsync([group], default);
        _lab.CrashPoints.DieAt = step;
        await Assert.ThrowsAsync<CrashException>(() => first.ExecuteAsync(_lab.Pool, [_lab.Create("volume-a", 32 * MiB)], default));
        _lab.CrashPoints.DieAt = null;

        var second = _lab.MakeBackend(group);
        var report = Assert.Single(await second.ScanAsync([group], default));
        var finished = step == "lvm.create.after";
        if (step == "lvm.create.before")
        {
            Assert.Empty(report.Volumes);
        }
        else
        {
            // It holds space, so it is reported; but until it is finished nobody gets to see what is in it.
            var volume = Assert.Single(report.Volumes);
            Assert.Equal((_lab.Key("volume-a"), 32 * MiB, finished), (volume.Key, volume.Bytes, volume.Problem.Length == 0));
            Assert.Equal(0, report.ForeignBytes);
            if (!finished)
            {
                var refused = await Assert.ThrowsAsync<StorageException>(() => second.OpenAsync(_lab.Key("volume-a"), default));
                Assert.Equal(StorageErrorCode.FailedPrecondition, refused.Code);
                Assert.Contains("interrupted", refused.Message, StringComparison.Ordinal);
            }
        }

        var made = await _lab.DoAsync(second, _lab.Create("volume-a", 32 * MiB));
        Assert.Equal((_lab.Key("volume-a"), 32 * MiB), (made!.Key, made.Bytes));
        Assert.Equal("carina,carina.generation=1,carina.volume=volume-a", _lab.Lvs("lv_tags").Single().Value);
        Assert.Equal(32 * MiB, (await second.OpenAsync(_lab.Key("volume-a"), default)).Bytes);
    }

    [Fact]
    public async Task An_unfinished_volume_can_be_deleted_or_made_with_another_size()
    {
        var backend = await _lab.MakePoolAsync();
        LeaveUnfinished("volume-a", "volume-b");
        await _lab.DoAsync(backend, _lab.Delete("volume-a"));
        Assert.Equal(64 * MiB, (await _lab.DoAsync(backend, _lab.Create("volume-b", 64 * MiB)))!.Bytes);
        Assert.Equal(["volume-b"], _lab.Lvs().Keys);
    }

    [Fact]
    public async Task An_unfinished_volume_that_somebody_has_open_is_left_alone()
    {
        var backend = await _lab.MakePoolAsync();
        LeaveUnfinished("volume-a");
        await using (File.OpenRead($"/dev/{_lab.Pool}/volume-a"))
        {
            var refused = await _lab.FailAsync(backend, _lab.Create("volume-a", 32 * MiB));
            Assert.Equal(StorageErrorCode.FailedPrecondition, refused.Code);
        }

        await _lab.DoAsync(backend, _lab.Create("volume-a", 32 * MiB));
    }

    [Theory]
    [InlineData("lvm.expand.before")]
    [InlineData("lvm.expand.after")]
    public async Task An_expansion_that_was_cut_off_is_finished_by_its_repeat(string step)
    {
        var backend = await _lab.MakePoolAsync();
        await _lab.DoAsync(backend, _lab.Create("volume-a", 32 * MiB));
        _lab.CrashPoints.DieAt = step;
        await Assert.ThrowsAsync<CrashException>(() => backend.ExecuteAsync(_lab.Pool, [_lab.Expand("volume-a", 64 * MiB)], default));
        _lab.CrashPoints.DieAt = null;
        Assert.Equal(64 * MiB, (await _lab.DoAsync(backend, _lab.Expand("volume-a", 64 * MiB)))!.Bytes);
        Assert.Equal($"{64 * MiB}", _lab.Lvs()["volume-a"]);
    }

    [Fact]
    public async Task A_volume_left_suspended_goes_on_when_it_is_expanded_again_or_opened()
    {
        var backend = await _lab.MakePoolAsync();
        await _lab.DoAsync(backend, _lab.Create("volume-a", 32 * MiB));
        var device = backend.FindDevice("volume-a")!.Path;
        TestHost.Run("dmsetup", "suspend", device);
        await _lab.DoAsync(backend, _lab.Expand("volume-a", 32 * MiB));
        Assert.Contains("ACTIVE", TestHost.Run("dmsetup", "info", device), StringComparison.Ordinal);

        TestHost.Run("dmsetup", "suspend", device);
        await backend.OpenAsync(_lab.Key("volume-a"), default);
        Assert.Contains("ACTIVE", TestHost.Run("dmsetup", "info", device), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("lvm.delete.before")]
    [InlineData("lvm.delete.after")]
    public async Task A_deletion_that_was_cut_off_is_finished_by_its_repeat(string step)
    {
        var backend = await _lab.MakePoolAsync();
        await _lab.DoAsync(backend, _lab.Create("volume-a", 32 * MiB));
        _lab.CrashPoints.DieAt = step;
        await Assert.ThrowsAsync<CrashException>(() => backend.ExecuteAsync(_lab.Pool, [_lab.Delete("volume-a")], default));
        _lab.CrashPoints.DieAt = null;
        Assert.Null(await _lab.DoAsync(backend, _lab.Delete("volume-a")));
        Assert.Empty(_lab.Lvs());
    }

    private void LeaveUnfinished(params string[] volumes)
    {
        foreach (var volume in volumes)
        {
            TestHost.Run(
                "lvcreate", "-qy", "-n", volume, "-L", "32M", "--addtag", "carina", "--addtag", $"carina.volume={volume}",
                "--addtag", "carina.generation=1", "--addtag", "carina.new", _lab.Pool);
        }
    }
}
