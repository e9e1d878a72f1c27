using Carina.Grains.Agents;
using Carina.Grains.Configuration;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Carina.Silo.Backends;
using Carina.Silo.Backends.Files;
using Carina.Silo.Tests.Linux;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carina.Silo.Tests.Backends.Files;

public sealed class FileBackendTests : IDisposable
{
    private const long MiB = 1 << 20;
    private readonly TestHost _host = new();
    private readonly FileBackend _backend = NewBackend();

    public void Dispose() => _host.Dispose();

    private static FileBackend NewBackend() => new(TestHost.Runner, TimeProvider.System, new NoCrashPoints(), NullLogger<FileBackend>.Instance);

    private string PoolDirectory => _host.Combine("pool");

    private DiskGroup Group(string name = "carina-file", string directory = "pool", long capacity = 1024 * MiB) => new()
    {
        Name = name,
        Policy = PoolPolicy.File,
        Directory = _host.Combine(directory),
        CapacityBytes = capacity,
        ReserveBytes = 0,
    };

    private static DiskVolumeKey Key(string id = "volume-a", long generation = 1) => new(id, "carina-file", generation);

    private async Task<PoolReport> ScanAsync(DiskGroup? group = null) =>
        Assert.Single(await _backend.ScanAsync([group ?? Group()], default));

    private async Task<PoolCommandOutcome> DoAsync(PoolCommandKind kind, DiskVolumeKey key, long bytes = 0, FileBackend? backend = null) =>
        Assert.Single(await (backend ?? _backend).ExecuteAsync(key.Pool, [new PoolCommand(kind, key, bytes)], default));

    private async Task<DiskVolume> CreateAsync(DiskVolumeKey key, long bytes)
    {
        var outcome = await DoAsync(PoolCommandKind.Create, key, bytes);
        Assert.Null(outcome.Error);
        return outcome.Volume!;
    }

    private async Task AssertRefusedAsync(StorageErrorCode code, PoolCommandKind kind, DiskVolumeKey key, long bytes = 0)
    {
        var outcome = await DoAsync(kind, key, bytes);
        Assert.Null(outcome.Volume);
        Assert.Equal(code, outcome.Error?.Code);
    }

    [Fact]
    public async Task A_volume_is_made_opened_grown_closed_and_deleted_and_each_step_can_be_repeated()
    {
        var report = await ScanAsync();
        Assert.Equal("", report.Problem);
        Assert.Equal(1024 * MiB, report.SizeBytes);

        for (var i = 0; i < 2; i++)
        {
            var made = await CreateAsync(Key(), 64 * MiB);
            Assert.Equal(new DiskVolume { Key = Key(), Bytes = 64 * MiB, DevicePath = PoolDirectory + "/volume-a.img" }, made);
        }

        var device = await _backend.OpenAsync(Key(), default);
        Assert.Equal(device, await _backend.OpenAsync(Key(), default));
        Assert.Equal(device, _backend.FindDevice("volume-a"));
        Assert.Equal(64 * MiB, device.Bytes);
        Assert.StartsWith("/dev/loop", device.Path, StringComparison.Ordinal);

        for (var i = 0; i < 2; i++)
        {
            var grown = await DoAsync(PoolCommandKind.Expand, Key(), 128 * MiB);
            Assert.Equal(128 * MiB, grown.Volume?.Bytes);
            Assert.Equal(128 * MiB, _backend.FindDevice("volume-a")?.Bytes);
        }

        Assert.Equal(128 * MiB, (await DoAsync(PoolCommandKind.Expand, Key(), 64 * MiB)).Volume?.Bytes);
        var volume = Assert.Single((await ScanAsync()).Volumes);
        Assert.Equal(new DiskVolume { Key = Key(), Bytes = 128 * MiB, DevicePath = device.Path }, volume);

        for (var i = 0; i < 2; i++)
        {
            await _backend.CloseAsync("volume-a", default);
            Assert.Null(_backend.FindDevice("volume-a"));
        }

        for (var i = 0; i < 2; i++)
        {
            var gone = await DoAsync(PoolCommandKind.Delete, Key());
            Assert.Equal(new PoolCommandOutcome(null, null), gone);
            Assert.Empty(Directory.EnumerateFileSystemEntries(PoolDirectory));
        }
    }

    [Fact]
    public async Task Sizes_are_rounded_up_to_the_granularity_and_files_are_sparse_and_private()
    {
        var report = await ScanAsync();
        var volume = await CreateAsync(Key(), 5 * MiB);
        Assert.Equal(2 * report.GranularityBytes, volume.Bytes);
        Assert.Equal("0", TestHost.Run("stat", "-c", "%b", volume.DevicePath));
        Assert.Equal("600 700", TestHost.Run("stat", "-c", "%a", volume.DevicePath, PoolDirectory).Replace('\n', ' '));
    }

    [Fact]
    public async Task Another_generation_is_never_touched()
    {
        await ScanAsync();
        await CreateAsync(Key(generation: 5), 64 * MiB);
        foreach (var generation in new[] { 4, 6 })
        {
            await AssertRefusedAsync(StorageErrorCode.FailedPrecondition, PoolCommandKind.Create, Key(generation: generation), 64 * MiB);
            await AssertRefusedAsync(StorageErrorCode.FailedPrecondition, PoolCommandKind.Expand, Key(generation: generation), 128 * MiB);
            await AssertRefusedAsync(StorageErrorCode.FailedPrecondition, PoolCommandKind.Delete, Key(generation: generation));
            var failure = await Assert.ThrowsAsync<StorageException>(() => _backend.OpenAsync(Key(generation: generation), default));
            Assert.Equal(StorageErrorCode.FailedPrecondition, failure.Code);
        }

        Assert.Equal(64 * MiB, Assert.Single((await ScanAsync()).Volumes).Bytes);
    }

    [Theory]
    [InlineData("file")]
    [InlineData("link")]
    [InlineData("directory")]
    public async Task What_only_has_a_volumes_name_is_left_alone(string kind)
    {
        await ScanAsync();
        var path = PoolDirectory + "/volume-a.img";
        var secret = _host.MakeFile("secret", 4 * MiB);
        await File.WriteAllTextAsync(secret, "data");
        switch (kind)
        {
            case "file":
                await File.WriteAllTextAsync(path, "data");
                break;
            case "link":
                File.CreateSymbolicLink(path, secret);
                break;
            default:
                Directory.CreateDirectory(path);
                break;
        }

        await AssertRefusedAsync(StorageErrorCode.FailedPrecondition, PoolCommandKind.Create, Key(), 64 * MiB);
        await AssertRefusedAsync(StorageErrorCode.FailedPrecondition, PoolCommandKind.Delete, Key());
        await Assert.ThrowsAsync<StorageException>(() => _backend.OpenAsync(Key(), default));
        Assert.Empty((await ScanAsync()).Volumes);
        Assert.True(Path.Exists(path));
        Assert.Equal("data", await File.ReadAllTextAsync(secret));
    }

    [Fact]
    public async Task A_volume_in_use_is_neither_closed_nor_deleted()
    {
        await ScanAsync();
        await CreateAsync(Key(), 64 * MiB);
        var device = await _backend.OpenAsync(Key(), default);
        TestHost.Run("mkfs.ext4", "-q", device.Path);
        var directory = _host.MakeDirectory("mounted");
        TestHost.Run("mount", device.Path, directory);
        await File.WriteAllTextAsync(directory + "/data", "kept");

        await AssertRefusedAsync(StorageErrorCode.FailedPrecondition, PoolCommandKind.Delete, Key());
        var failure = await Assert.ThrowsAsync<StorageException>(() => _backend.CloseAsync("volume-a", default));
        Assert.Equal(StorageErrorCode.FailedPrecondition, failure.Code);
        Assert.Contains(directory, failure.Message, StringComparison.Ordinal);
        Assert.Equal("kept", await File.ReadAllTextAsync(directory + "/data"));

        TestHost.Run("umount", directory);
        Assert.Null((await DoAsync(PoolCommandKind.Delete, Key())).Error);
        Assert.DoesNotContain(device.Path + ":", TestHost.Run("losetup", "--all"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_device_that_a_process_has_open_stays_attached()
    {
        await ScanAsync();
        await CreateAsync(Key(), 64 * MiB);
        var device = await _backend.OpenAsync(Key(), default);
        using (File.OpenHandle(device.Path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
        {
            await AssertRefusedAsync(StorageErrorCode.FailedPrecondition, PoolCommandKind.Delete, Key());
            Assert.Equal(device, _backend.FindDevice("volume-a"));
        }

        // It was not left to be detached by whoever closes it last.
        using (File.OpenHandle(device.Path))
        {
        }

        Assert.Equal(device, _backend.FindDevice("volume-a"));
        Assert.Null((await DoAsync(PoolCommandKind.Delete, Key())).Error);
    }

    [Fact]
    public async Task A_new_process_finds_what_the_killed_one_left_attached_even_before_it_scans()
    {
        var key = Key("volume-left-attached");
        await ScanAsync();
        await CreateAsync(key, 64 * MiB);
        var device = await _backend.OpenAsync(key, default);

        var successor = NewBackend();
        Assert.Equal(device, successor.FindDevice(key.VolumeId));
        await successor.CloseAsync(key.VolumeId, default);
        Assert.Null(successor.FindDevice(key.VolumeId));
        var failure = await Assert.ThrowsAsync<StorageException>(() => successor.OpenAsync(key, default));
        Assert.Equal(StorageErrorCode.Unavailable, failure.Code);
    }

    [Fact]
    public async Task A_file_that_grew_when_the_process_died_is_seen_whole_when_opened_again()
    {
        await ScanAsync();
        var volume = await CreateAsync(Key(), 64 * MiB);
        await _backend.OpenAsync(Key(), default);
        TestHost.Run("truncate", "--size", (96 * MiB).ToString(System.Globalization.CultureInfo.InvariantCulture), volume.DevicePath);
        Assert.Equal(64 * MiB, _backend.FindDevice("volume-a")?.Bytes);
        Assert.Equal(96 * MiB, (await _backend.OpenAsync(Key(), default)).Bytes);
    }

    [Fact]
    public async Task A_device_of_another_file_with_the_same_name_is_not_taken_for_the_volume()
    {
        await ScanAsync();
        await CreateAsync(Key(), 64 * MiB);
        _host.MakeDirectory("other");
        var stranger = _host.MakeDisk("other/volume-a.img", 64 * MiB);
        Assert.Null(_backend.FindDevice("volume-a"));
        var device = await _backend.OpenAsync(Key(), default);
        Assert.NotEqual(stranger, device.Path);

        await _backend.CloseAsync("volume-a", default);
        Assert.Contains(stranger + ":", TestHost.Run("losetup", "--all"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_device_is_found_although_the_kernel_shows_only_part_of_its_files_path()
    {
        // As after a restart of the agent's container: the mount that the file was opened through is gone.
        var disk = _host.MakeMountedDisk("fs", 512 * MiB);
        var source = TestHost.Run("findmnt", "-no", "SOURCE", disk);
        await ScanAsync(Group(directory: "fs/pool"));
        await CreateAsync(Key(), 64 * MiB);
        var device = await _backend.OpenAsync(Key(), default);
        TestHost.Run("umount", "--lazy", disk);
        TestHost.Run("mount", source, disk);
        var shown = await File.ReadAllTextAsync($"/sys/block/{Path.GetFileName(device.Path)}/loop/backing_file");
        Assert.Equal("/pool/volume-a.img", shown.Trim());

        var successor = NewBackend();
        await successor.ScanAsync([Group(directory: "fs/pool")], default);
        Assert.Equal(device, successor.FindDevice("volume-a"));
        await successor.CloseAsync("volume-a", default);
        Assert.Null(_backend.FindDevice("volume-a"));
    }

    [Fact]
    public async Task The_same_volume_in_two_directories_is_told_apart()
    {
        await ScanAsync();
        await CreateAsync(Key(), 64 * MiB);
        var other = NewBackend();
        await other.ScanAsync([Group(directory: "other")], default);
        Assert.Null((await DoAsync(PoolCommandKind.Create, Key(), 64 * MiB, other)).Error);
        var theirs = await other.OpenAsync(Key(), default);
        Assert.Null(_backend.FindDevice("volume-a"));
        var ours = await _backend.OpenAsync(Key(), default);
        Assert.NotEqual(theirs, ours);
        Assert.Equal((theirs, ours), (other.FindDevice("volume-a")!, _backend.FindDevice("volume-a")!));
        await _backend.CloseAsync("volume-a", default);
        Assert.Equal(theirs, other.FindDevice("volume-a"));
    }

    [Fact]
    public async Task A_pool_promises_no_more_than_it_has()
    {
        await ScanAsync(Group(capacity: 100 * MiB));
        await CreateAsync(Key(), 64 * MiB);
        await AssertRefusedAsync(StorageErrorCode.ResourceExhausted, PoolCommandKind.Create, Key("volume-b"), 40 * MiB);
        await AssertRefusedAsync(StorageErrorCode.ResourceExhausted, PoolCommandKind.Expand, Key(), 104 * MiB);

        // What one command of a batch takes or gives back, the next one sees.
        var outcomes = await _backend.ExecuteAsync(
            "carina-file",
            [
                new PoolCommand(PoolCommandKind.Create, Key("volume-c"), 36 * MiB),
                new PoolCommand(PoolCommandKind.Create, Key("volume-d"), 4 * MiB),
                new PoolCommand(PoolCommandKind.Delete, Key(), 0),
                new PoolCommand(PoolCommandKind.Create, Key("volume-e"), 64 * MiB),
            ],
            default);
        Assert.Equal([null, StorageErrorCode.ResourceExhausted, null, null], outcomes.Select(outcome => outcome.Error?.Code));
    }

    [Fact]
    public async Task Other_files_on_the_file_system_are_accounted_for_and_own_ones_are_not()
    {
        var disk = _host.MakeMountedDisk("fs", 512 * MiB);
        var before = await ScanAsync(Group(directory: "fs/pool", capacity: 0));
        Assert.Equal("", before.Problem);
        Assert.InRange(before.SizeBytes, 400 * MiB, 512 * MiB);

        await CreateAsync(Key(), 128 * MiB);
        var device = await _backend.OpenAsync(Key(), default);
        TestHost.Run("dd", "if=/dev/zero", "of=" + device.Path, "bs=1M", "count=64", "conv=fsync", "status=none");
        var written = await ScanAsync(Group(directory: "fs/pool", capacity: 0));
        Assert.InRange(written.ForeignBytes - before.ForeignBytes, -2 * MiB, 2 * MiB);

        TestHost.Run("dd", "if=/dev/zero", "of=" + disk + "/other", "bs=1M", "count=50", "conv=fsync", "status=none");
        var crowded = await ScanAsync(Group(directory: "fs/pool", capacity: 0));
        Assert.InRange(crowded.ForeignBytes - before.ForeignBytes, 48 * MiB, 52 * MiB);

        // A limit leaves the rest to others: they count only as far as they need more.
        var limited = await ScanAsync(Group(directory: "fs/pool", capacity: 300 * MiB));
        Assert.Equal((300 * MiB, 0), (limited.SizeBytes, limited.ForeignBytes));
        var tight = await ScanAsync(Group(directory: "fs/pool", capacity: crowded.SizeBytes - 20 * MiB));
        Assert.Equal(crowded.ForeignBytes - 20 * MiB, tight.ForeignBytes);
    }

    [Theory]
    [InlineData("missing-parent", "parent")]
    [InlineData("link", "symbolic link")]
    [InlineData("file", "symbolic link or not a directory")]
    [InlineData("open-to-all", "chmod 700")]
    [InlineData("relative", "absolute path")]
    [InlineData("dots", "absolute path")]
    [InlineData("no-attributes", "extended attributes")]
    public async Task An_unsuitable_directory_is_refused_with_its_reason(string kind, string reason)
    {
        var directory = _host.Combine("unsuitable");
        var path = directory;
        switch (kind)
        {
            case "missing-parent":
                path += "/child";
                break;
            case "link":
                Directory.CreateSymbolicLink(directory, _host.MakeDirectory("elsewhere"));
                break;
            case "file":
                _host.MakeFile("unsuitable", 0);
                break;
            case "open-to-all":
                Directory.CreateDirectory(directory);
                await File.WriteAllTextAsync(directory + "/somebody's", "");
                TestHost.Run("chmod", "755", directory);
                break;
            case "relative":
                path = "var/lib/carina";
                break;
            case "dots":
                path = _host.Combine("x/../unsuitable");
                break;
            default:
                Directory.CreateDirectory(directory);
                TestHost.Run("mount", "-t", "ramfs", "none", directory);
                TestHost.Run("chmod", "700", directory);
                break;
        }

        var group = Group() with { Directory = path };
        var report = await ScanAsync(group);
        Assert.Contains(reason, report.Problem, StringComparison.Ordinal);
        Assert.Equal(0, report.SizeBytes);
        await AssertRefusedAsync(StorageErrorCode.FailedPrecondition, PoolCommandKind.Create, Key(), 4 * MiB);
    }

    [Fact]
    public async Task An_empty_directory_is_made_private_and_taken()
    {
        _host.MakeDirectory("pool/lost+found");
        TestHost.Run("chmod", "755", PoolDirectory);
        Assert.Equal("", (await ScanAsync()).Problem);
        Assert.Equal("700", TestHost.Run("stat", "-c", "%a", PoolDirectory));
    }

    [Fact]
    public async Task Pools_that_would_promise_the_same_space_are_refused()
    {
        var same = await _backend.ScanAsync([Group("one"), Group("two")], default);
        Assert.Equal(["", "two"], same.Select(report => report.Problem.Contains("'two'", StringComparison.Ordinal) ? "two" : report.Problem));

        var shared = await _backend.ScanAsync([Group("one", "a"), Group("two", "b", capacity: 0)], default);
        Assert.Equal("", shared[0].Problem);
        Assert.Contains("share one file system", shared[1].Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Volumes_of_a_directory_that_went_missing_are_not_taken_for_deleted()
    {
        await ScanAsync();
        await CreateAsync(Key(), 64 * MiB);
        Directory.Move(PoolDirectory, _host.Combine("unmounted"));
        await AssertRefusedAsync(StorageErrorCode.FailedPrecondition, PoolCommandKind.Delete, Key());
        await AssertRefusedAsync(StorageErrorCode.FailedPrecondition, PoolCommandKind.Create, Key("volume-b"), 4 * MiB);
        Assert.False(Directory.Exists(PoolDirectory));
        Directory.Move(_host.Combine("unmounted"), PoolDirectory);
        Assert.Single((await ScanAsync()).Volumes);
    }

    [Fact]
    public async Task A_fresh_device_has_the_kernels_read_ahead_whatever_it_was_before()
    {
        await ScanAsync();
        await CreateAsync(Key(), 64 * MiB);
        var device = await _backend.OpenAsync(Key(), default);
        var setting = $"/sys/block/{Path.GetFileName(device.Path)}/queue/read_ahead_kb";
        await File.WriteAllTextAsync(setting, "2048");
        await _backend.CloseAsync("volume-a", default);
        var again = await _backend.OpenAsync(Key(), default);
        Assert.Equal("128", (await File.ReadAllTextAsync($"/sys/block/{Path.GetFileName(again.Path)}/queue/read_ahead_kb")).Trim());
    }

    [Theory]
    [InlineData("../etc/passwd")]
    [InlineData("volume-../x")]
    [InlineData("")]
    public async Task A_handle_that_we_never_gave_out_is_refused(string id)
    {
        await ScanAsync();
        await AssertRefusedAsync(StorageErrorCode.InvalidArgument, PoolCommandKind.Delete, Key(id));
        Assert.Null(_backend.FindDevice(id));
    }
}
