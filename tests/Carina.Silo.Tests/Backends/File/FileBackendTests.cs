using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Backends;
using Carina.Silo.Tests.Linux;

namespace Carina.Silo.Tests.Backends.Files;

public sealed class FileBackendTests : FileBackendFixture
{
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

        var device = await Backend.OpenAsync(Key(), default);
        Assert.Equal(device, await Backend.OpenAsync(Key(), default));
        Assert.Equal(device, Backend.FindDevice("volume-a"));
        Assert.Equal(64 * MiB, device.Bytes);
        Assert.StartsWith("/dev/loop", device.Path, StringComparison.Ordinal);

        for (var i = 0; i < 2; i++)
        {
            var grown = await DoAsync(PoolCommandKind.Expand, Key(), 128 * MiB);
            Assert.Equal(128 * MiB, grown.Volume?.Bytes);
            Assert.Equal(128 * MiB, Backend.FindDevice("volume-a")?.Bytes);
        }

        Assert.Equal(128 * MiB, (await DoAsync(PoolCommandKind.Expand, Key(), 64 * MiB)).Volume?.Bytes);
        var volume = Assert.Single((await ScanAsync()).Volumes);
        Assert.Equal(new DiskVolume { Key = Key(), Bytes = 128 * MiB, DevicePath = device.Path }, volume);

        for (var i = 0; i < 2; i++)
        {
            await Backend.CloseAsync("volume-a", default);
            Assert.Null(Backend.FindDevice("volume-a"));
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
            var failure = await Assert.ThrowsAsync<StorageException>(() => Backend.OpenAsync(Key(generation: generation), default));
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
        var secret = Host.MakeFile("secret", 4 * MiB);
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
        await Assert.ThrowsAsync<StorageException>(() => Backend.OpenAsync(Key(), default));
        Assert.Empty((await ScanAsync()).Volumes);
        Assert.True(Path.Exists(path));
        Assert.Equal("data", await File.ReadAllTextAsync(secret));
    }

    [Fact]
    public async Task A_volume_in_use_is_neither_closed_nor_deleted()
    {
        await ScanAsync();
        await CreateAsync(Key(), 64 * MiB);
        var device = await Backend.OpenAsync(Key(), default);
        TestHost.Run("mkfs.ext4", "-q", device.Path);
        var directory = Host.MakeDirectory("mounted");
        TestHost.Run("mount", device.Path, directory);
        await File.WriteAllTextAsync(directory + "/data", "kept");

        await AssertRefusedAsync(StorageErrorCode.FailedPrecondition, PoolCommandKind.Delete, Key());
        var failure = await Assert.ThrowsAsync<StorageException>(() => Backend.CloseAsync("volume-a", default));
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
        var device = await Backend.OpenAsync(Key(), default);
        using (File.OpenHandle(device.Path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
        {
            await AssertRefusedAsync(StorageErrorCode.FailedPrecondition, PoolCommandKind.Delete, Key());
            Assert.Equal(device, Backend.FindDevice("volume-a"));
        }

        // It was not left to be detached by whoever closes it last.
        using (File.OpenHandle(device.Path))
        {
        }

        Assert.Equal(device, Backend.FindDevice("volume-a"));
        Assert.Null((await DoAsync(PoolCommandKind.Delete, Key())).Error);
    }

    [Fact]
    public async Task A_new_process_finds_what_the_killed_one_left_attached_even_before_it_scans()
    {
        var key = Key("volume-left-attached");
        await ScanAsync();
        await CreateAsync(key, 64 * MiB);
        var device = await Backend.OpenAsync(key, default);

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
        await Backend.OpenAsync(Key(), default);
        TestHost.Run("truncate", "--size", (96 * MiB).ToString(System.Globalization.CultureInfo.InvariantCulture), volume.DevicePath);
        Assert.Equal(64 * MiB, Backend.FindDevice("volume-a")?.Bytes);
        Assert.Equal(96 * MiB, (await Backend.OpenAsync(Key(), default)).Bytes);
    }

    [Fact]
    public async Task A_device_of_another_file_with_the_same_name_is_not_taken_for_the_volume()
    {
        await ScanAsync();
        await CreateAsync(Key(), 64 * MiB);
        Host.MakeDirectory("other");
        var stranger = Host.MakeDisk("other/volume-a.img", 64 * MiB);
        Assert.Null(Backend.FindDevice("volume-a"));
        var device = await Backend.OpenAsync(Key(), default);
        Assert.NotEqual(stranger, device.Path);

        await Backend.CloseAsync("volume-a", default);
        Assert.Contains(stranger + ":", TestHost.Run("losetup", "--all"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_device_is_found_although_the_kernel_shows_only_part_of_its_files_path()
    {
        // As after a restart of the agent's container: the mount that the file was opened through is gone.
        var disk = Host.MakeMountedDisk("fs", 512 * MiB);
        var source = TestHost.Run("findmnt", "-no", "SOURCE", disk);
        await ScanAsync(Group(directory: "fs/pool"));
        await CreateAsync(Key(), 64 * MiB);
        var device = await Backend.OpenAsync(Key(), default);
        TestHost.Run("umount", "--lazy", disk);
        TestHost.Run("mount", source, disk);
        var shown = await File.ReadAllTextAsync($"/sys/block/{Path.GetFileName(device.Path)}/loop/backing_file");
        Assert.Equal("/pool/volume-a.img", shown.Trim());

        var successor = NewBackend();
        await successor.ScanAsync([Group(directory: "fs/pool")], default);
        Assert.Equal(device, successor.FindDevice("volume-a"));
        await successor.CloseAsync("volume-a", default);
        Assert.Null(Backend.FindDevice("volume-a"));
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
        Assert.Null(Backend.FindDevice("volume-a"));
        var ours = await Backend.OpenAsync(Key(), default);
        Assert.NotEqual(theirs, ours);
        Assert.Equal((theirs, ours), (other.FindDevice("volume-a")!, Backend.FindDevice("volume-a")!));
        await Backend.CloseAsync("volume-a", default);
        Assert.Equal(theirs, other.FindDevice("volume-a"));
    }

    [Fact]
    public async Task A_fresh_device_has_the_kernels_read_ahead_whatever_it_was_before()
    {
        await ScanAsync();
        await CreateAsync(Key(), 64 * MiB);
        var device = await Backend.OpenAsync(Key(), default);
        var setting = $"/sys/block/{Path.GetFileName(device.Path)}/queue/read_ahead_kb";
        await File.WriteAllTextAsync(setting, "2048");
        await Backend.CloseAsync("volume-a", default);
        var again = await Backend.OpenAsync(Key(), default);
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
        Assert.Null(Backend.FindDevice(id));
    }
}
