using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Backends.Lvm;
using Carina.Silo.Tests.Linux;

namespace Carina.Silo.Tests.Backends.Lvm;

/// <summary>Finding, making and growing volume groups.</summary>
[Collection(LvmLabCollection.Name)]
[Trait("Kernel", "device-mapper")]
public sealed class GroupScannerTests : IAsyncDisposable
{
    private const long MiB = LvmLab.MiB;

    private readonly LvmLab _lab = new();

    public ValueTask DisposeAsync() => _lab.DisposeAsync();

    [Fact]
    public async Task Blank_disks_become_a_volume_group_and_others_are_left_alone()
    {
        var (first, second, formatted, small, unselected) =
            (_lab.MakeDisk(), _lab.MakeDisk(), _lab.MakeDisk(), _lab.MakeDisk(8), _lab.MakeDisk());
        TestHost.Run("mkfs.ext4", "-q", formatted);
        var before = await Sha256Async(formatted);
        var group = _lab.Group(first, second, formatted, small);
        var report = await ScanAsync(_lab.MakeBackend(group), group);

        Assert.Equal("", report.Problem);
        Assert.Equal((2 * 252 * MiB, 0L, 8 * MiB, 4 * MiB), (report.SizeBytes, report.ForeignBytes, report.ReserveBytes, report.GranularityBytes));
        Assert.Empty(report.Volumes);
        Assert.Equal([first, second], DisksOfPool());
        Assert.Equal("carina", TestHost.Run("vgs", "--noheadings", "-o", "vg_tags", _lab.Pool));
        Assert.Equal(before, await Sha256Async(formatted));
        Assert.Equal("", TestHost.Run("wipefs", "--no-act", small));
        Assert.Equal("", TestHost.Run("wipefs", "--no-act", unselected));
    }

    [Fact]
    public async Task Without_a_blank_disk_the_report_says_what_stands_in_the_way()
    {
        var disk = _lab.MakeDisk(512);
        TestHost.Run("mkfs.xfs", "-q", disk);
        var group = _lab.Group(disk);
        var backend = _lab.MakeBackend(group);
        var report = await ScanAsync(backend, group);
        Assert.Equal(0, report.SizeBytes);
        Assert.Contains(disk, report.Problem, StringComparison.Ordinal);
        Assert.Contains("xfs", report.Problem, StringComparison.Ordinal);
        Assert.Equal(
            StorageErrorCode.FailedPrecondition,
            (await Assert.ThrowsAsync<StorageException>(() => backend.ExecuteAsync(_lab.Pool, [], default))).Code);

        TestHost.Run("wipefs", "-qa", disk);
        TestHost.Run("blkdiscard", "-z", disk);
        Assert.Equal("", (await ScanAsync(backend, group)).Problem);
    }

    [Fact]
    public async Task An_existing_volume_group_is_adopted_with_what_is_in_it()
    {
        var disk = _lab.MakeDisk();
        TestHost.Run("vgcreate", "-q", "-s", "8M", _lab.Pool, disk);
        TestHost.Run("lvcreate", "-qy", "-n", "volume-pvc-old", "-L", "32M", _lab.Pool);
        TestHost.Run("lvcreate", "-qy", "-n", "database", "-L", "16M", "--addtag", "production", _lab.Pool);
        TestHost.Run("mkfs.ext4", "-q", $"/dev/{_lab.Pool}/database");
        var before = await Sha256Async(disk);
        var group = _lab.Group(disk);
        var backend = _lab.MakeBackend(group);
        var report = await ScanAsync(backend, group);

        Assert.Equal("", report.Problem);
        Assert.Equal((248 * MiB, 48 * MiB, 8 * MiB), (report.SizeBytes, report.ForeignBytes, report.GranularityBytes));
        Assert.Empty(report.Volumes);
        Assert.Equal(before, await Sha256Async(disk));

        await _lab.DoAsync(backend, _lab.Create("volume-new", 1));
        report = await ScanAsync(backend, group);
        var volume = Assert.Single(report.Volumes);
        Assert.Equal((_lab.Key("volume-new"), 8 * MiB), (volume.Key, volume.Bytes));
        Assert.Equal(48 * MiB, report.ForeignBytes);
    }

    [Fact]
    public async Task A_volume_group_in_lower_case_is_the_one_that_old_Carina_made()
    {
        var disk = _lab.MakeDisk();
        TestHost.Run("vgcreate", "-q", _lab.Pool, disk);
        var group = _lab.Group(disk) with { Name = _lab.Pool.ToUpperInvariant() };
        var backend = _lab.MakeBackend(group);
        var report = await ScanAsync(backend, group);
        Assert.Equal(("", group.Name), (report.Problem, report.Name));
        var outcome = Assert.Single(await backend.ExecuteAsync(group.Name, [_lab.Create("volume-a", 32 * MiB)], default));
        Assert.Null(outcome.Error);
        Assert.Equal(["volume-a"], _lab.Lvs().Keys);
    }

    [Fact]
    public async Task New_blank_disks_extend_the_group_and_grown_ones_are_used()
    {
        var (first, second) = (_lab.MakeDisk(), _lab.MakeDisk());
        var group = _lab.Group(first);
        var backend = _lab.MakeBackend(group);
        Assert.Equal(252 * MiB, (await ScanAsync(backend, group)).SizeBytes);
        await _lab.DoAsync(backend, _lab.Create("volume-a", 200 * MiB));

        group = _lab.Group(first, second);
        var extended = _lab.MakeBackend(group);
        Assert.Equal(2 * 252 * MiB, (await ScanAsync(extended, group)).SizeBytes);
        await _lab.DoAsync(extended, _lab.Create("volume-b", 200 * MiB));

        // The first backend has not scanned since: its session finds out about the second disk by itself.
        await _lab.DoAsync(backend, _lab.Expand("volume-a", 240 * MiB));
        await _lab.DoAsync(backend, _lab.Delete("volume-b"));

        await using (var file = File.OpenWrite(LvmLab.FileOf(second)))
            file.SetLength(512 * MiB);

        TestHost.Run("losetup", "--set-capacity", second);
        var report = await ScanAsync(extended, group);
        Assert.Equal((252 + 508) * MiB, report.SizeBytes);
        await _lab.DoAsync(extended, _lab.Create("volume-c", 500 * MiB));
        Assert.Equal("", TestHost.Run("vgs", "--noheadings", "-o", "vg_missing_pv_count", _lab.Pool).Replace("0", "", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Space_on_disks_that_are_closed_to_allocation_is_not_offered()
    {
        var (first, second) = (_lab.MakeDisk(), _lab.MakeDisk());
        var group = _lab.Group(first, second);
        var backend = _lab.MakeBackend(group);
        await ScanAsync(backend, group);
        TestHost.Run("pvchange", "-q", "-xn", second);
        Assert.Equal(252 * MiB, (await ScanAsync(backend, group)).ForeignBytes);
    }

    [Fact]
    public async Task Missing_disks_are_waited_for_and_nothing_is_given_up()
    {
        var (first, second) = (_lab.MakeDisk(), _lab.MakeDisk());
        var group = _lab.Group(first, second);
        var backend = _lab.MakeBackend(group);
        await ScanAsync(backend, group);
        await _lab.DoAsync(backend, _lab.Create("volume-a", 300 * MiB));
        await _lab.DoAsync(backend, _lab.Create("volume-b", 32 * MiB));
        await backend.CloseAsync("volume-a", default);
        await backend.CloseAsync("volume-b", default);

        var file = LvmLab.FileOf(second);
        TestHost.Run("losetup", "--detach", second);
        var report = await ScanAsync(backend, group);
        Assert.Contains("missing (1 of 2)", report.Problem, StringComparison.Ordinal);
        Assert.Equal(2 * 252 * MiB, report.SizeBytes);
        Assert.Equal(["volume-a", "volume-b"], report.Volumes.Select(v => v.Key.VolumeId).Order(StringComparer.Ordinal));
        Assert.Contains("missing", report.Volumes.Single(v => v.Key.VolumeId == "volume-a").Problem, StringComparison.Ordinal);
        foreach (var command in new[]
        {
            _lab.Create("volume-c", 4 * MiB), _lab.Delete("volume-a"), _lab.Delete("volume-b"), _lab.Expand("volume-b", 64 * MiB),
        })
        {
            var refused = await _lab.FailAsync(backend, command);
            Assert.Equal(StorageErrorCode.FailedPrecondition, refused.Code);
            Assert.Contains("missing", refused.Message, StringComparison.Ordinal);
        }

        await Assert.ThrowsAsync<StorageException>(() => backend.OpenAsync(_lab.Key("volume-a"), default));
        Assert.StartsWith("2\n", TestHost.Run("vgs", "--noheadings", "-o", "pv_count", _lab.Pool), StringComparison.Ordinal);

        // Back again, it is as if nothing had been.
        TestHost.Run("losetup", second, file);
        Assert.Equal("", (await ScanAsync(backend, group)).Problem);
        Assert.Equal(300 * MiB, (await backend.OpenAsync(_lab.Key("volume-a"), default)).Bytes);
        await _lab.DoAsync(backend, _lab.Delete("volume-b"));
    }

    [Fact]
    public async Task Groups_that_others_have_are_told_not_used()
    {
        var disk = _lab.MakeDisk();
        TestHost.Run("vgcreate", "-q", _lab.Pool, disk);
        TestHost.Run("vgexport", "-q", _lab.Pool);
        var group = _lab.Group(disk, _lab.MakeDisk());
        var backend = _lab.MakeBackend(group);
        Assert.Contains("exported", (await ScanAsync(backend, group)).Problem, StringComparison.Ordinal);
        TestHost.Run("vgimport", "-q", _lab.Pool);
        TestHost.Run("vgchange", "-q", "--systemid", "elsewhere", "-y", _lab.Pool);
        Assert.NotEqual("", (await ScanAsync(backend, group)).Problem);
    }

    [Fact]
    public async Task Two_groups_of_one_name_are_told_apart_by_nobody_but_the_operator()
    {
        var (first, second) = (_lab.MakeDisk(), _lab.MakeDisk());
        TestHost.Run("vgcreate", "-q", _lab.Pool, first);
        TestHost.Run("vgcreate", "-q", _lab.Pool, second, "--config", $"devices/filter=[\"a|{second}|\",\"r|.*|\"]");
        var group = _lab.Group(first, second, _lab.MakeDisk());
        var report = await ScanAsync(_lab.MakeBackend(group), group);
        Assert.Contains("several volume groups", report.Problem, StringComparison.Ordinal);
        Assert.Equal(0, report.SizeBytes);
    }

    [Fact]
    public async Task Nodes_that_share_a_kernel_keep_their_groups_of_one_name_apart()
    {
        var disks = new[] { _lab.MakeDisk(), _lab.MakeDisk() };
        var groups = disks.Select(disk => _lab.Group(disk)).ToArray();
        var nodes = new LvmBackend[2];
        for (var i = 0; i < 2; i++)
        {
            nodes[i] = _lab.MakeBackend(groups[i], [disks[i]]);
            Assert.Equal("", (await ScanAsync(nodes[i], groups[i])).Problem);
            await _lab.DoAsync(nodes[i], _lab.Create($"volume-{i}", (32 + (4 * i)) * MiB));
        }

        for (var i = 0; i < 2; i++)
        {
            var report = await ScanAsync(nodes[i], groups[i]);
            Assert.Equal(($"volume-{i}", (32 + (4 * i)) * MiB), (report.Volumes.Single().Key.VolumeId, report.Volumes.Single().Bytes));
            Assert.Equal((32 + (4 * i)) * MiB, nodes[i].FindDevice($"volume-{i}")!.Bytes);
            Assert.Null(nodes[i].FindDevice($"volume-{1 - i}"));
            var restarted = _lab.MakeBackend(groups[i], [disks[i]]);
            Assert.NotNull(restarted.FindDevice($"volume-{i}"));
            Assert.Null(restarted.FindDevice($"volume-{1 - i}"));
            await _lab.DoAsync(nodes[i], _lab.Delete($"volume-{1 - i}"));
        }

        for (var i = 0; i < 2; i++)
            await _lab.DoAsync(nodes[i], _lab.Delete($"volume-{i}"));
    }

    private static async Task<PoolReport> ScanAsync(LvmBackend backend, Grains.Configuration.DiskGroup group) =>
        Assert.Single(await backend.ScanAsync([group], default));

    private string[] DisksOfPool() =>
    [
        .. TestHost.Run("pvs", "--noheadings", "-o", "pv_name", "-S", $"vg_name={_lab.Pool}")
            .Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
    ];

    private static async Task<string> Sha256Async(string path)
    {
        await using var stream = File.OpenRead(path);
        return Convert.ToHexString(await System.Security.Cryptography.SHA256.HashDataAsync(stream));
    }
}
