using System.Diagnostics;
using Carina.Grains.Errors;
using Carina.Silo.Tests.Linux;

namespace Carina.Silo.Tests.Mounting;

/// <summary>Hostile paths, things that are in the way, and what a killed process leaves: no data is ever lost.</summary>
public sealed class NodeVolumesSafetyTests : IDisposable
{
    private readonly NodeHost _node = new();

    public void Dispose() => _node.Dispose();

    private async Task PublishWithDataAsync(string target)
    {
        await _node.CreateAsync();
        await _node.StageAsync();
        await _node.PublishAsync(target);
        await File.WriteAllTextAsync(target + "/data", "kept");
    }

    [Fact]
    public async Task Unpublish_never_deletes_data_even_when_unmounting_fails()
    {
        var target = _node.Target();
        await PublishWithDataAsync(target);
        using (var user = Process.Start(new ProcessStartInfo("sleep", "60") { WorkingDirectory = target })!)
        {
            var failure = await NodeHost.AssertFailsAsync(StorageErrorCode.FailedPrecondition, () => _node.UnpublishAsync(target));
            Assert.Contains("processes still use", failure.Message, StringComparison.Ordinal);
            Assert.Equal("kept", await File.ReadAllTextAsync(target + "/data"));
            user.Kill();
            await user.WaitForExitAsync();
        }

        await _node.UnpublishAsync(target);
        Assert.False(Path.Exists(target));
        Assert.Equal("kept", await File.ReadAllTextAsync(_node.Staging() + "/data"));
    }

    [Fact]
    public async Task Unpublish_removes_an_empty_directory_and_nothing_else()
    {
        await _node.CreateAsync();
        var target = _node.Target();
        Directory.CreateDirectory(target + "/sub");
        await File.WriteAllTextAsync(target + "/sub/data", "kept");
        await NodeHost.AssertFailsAsync(StorageErrorCode.FailedPrecondition, () => _node.UnpublishAsync(target));
        Assert.Equal("kept", await File.ReadAllTextAsync(target + "/sub/data"));

        var file = _node.Target("pod2");
        await File.WriteAllTextAsync(file, "kept");
        await NodeHost.AssertFailsAsync(StorageErrorCode.FailedPrecondition, () => _node.UnpublishAsync(file));
        Assert.Equal("kept", await File.ReadAllTextAsync(file));

        var hardLink = _node.Target("pod3");
        await File.WriteAllTextAsync(_node.Kubelet + "/original", "");
        TestHost.Run("ln", _node.Kubelet + "/original", hardLink);
        await NodeHost.AssertFailsAsync(StorageErrorCode.FailedPrecondition, () => _node.UnpublishAsync(hardLink));
        Assert.True(File.Exists(hardLink));
    }

    [Fact]
    public async Task Another_volumes_mount_is_not_taken_away()
    {
        var target = _node.Target();
        await PublishWithDataAsync(target);
        await _node.CreateAsync("volume-b");
        foreach (var id in new[] { "volume-b", "volume-unknown", "fake-vol-id" })
        {
            await NodeHost.AssertFailsAsync(StorageErrorCode.FailedPrecondition, () => _node.UnpublishAsync(target, id));
            await NodeHost.AssertFailsAsync(
                StorageErrorCode.FailedPrecondition, () => _node.Volumes.UnstageAsync(id, _node.Staging(), default));
        }

        await _node.StageAsync(id: "volume-b");
        await NodeHost.AssertFailsAsync(StorageErrorCode.FailedPrecondition, () => _node.UnpublishAsync(target, "volume-b"));
        await NodeHost.AssertFailsAsync(
            StorageErrorCode.FailedPrecondition,
            () => _node.Volumes.PublishAsync(_node.PublishRequest(target, id: "volume-b"), default));
        Assert.Equal("kept", await File.ReadAllTextAsync(target + "/data"));
    }

    [Theory]
    [InlineData("middle")]
    [InlineData("last")]
    [InlineData("dangling")]
    public async Task Symbolic_links_below_kubelets_directory_are_not_followed(string where)
    {
        await _node.CreateAsync();
        await _node.StageAsync();
        var outside = _node.Host.MakeDirectory("outside");
        var pods = Directory.CreateDirectory(_node.Kubelet + "/pods").FullName;
        string target;
        switch (where)
        {
            case "middle":
                Directory.CreateSymbolicLink(pods + "/pod1", outside);
                target = pods + "/pod1/mount";
                Directory.CreateDirectory(outside + "/mount");
                break;
            case "last":
                target = pods + "/mount";
                Directory.CreateSymbolicLink(target, outside);
                break;
            default:
                target = pods + "/mount";
                Directory.CreateSymbolicLink(target, outside + "/nothing");
                break;
        }

        var publish = await Assert.ThrowsAsync<StorageException>(() => _node.PublishAsync(target));
        var unpublish = await Assert.ThrowsAsync<StorageException>(() => _node.UnpublishAsync(target));
        var stage = await Assert.ThrowsAsync<StorageException>(
            () => _node.Volumes.StageAsync(_node.StageRequest() with { StagingPath = target }, default));
        Assert.All(
            [publish.Code, unpublish.Code],
            code => Assert.Contains(code, new[] { StorageErrorCode.InvalidArgument, StorageErrorCode.FailedPrecondition }));
        Assert.Contains(
            stage.Code,
            new[] { StorageErrorCode.InvalidArgument, StorageErrorCode.FailedPrecondition, StorageErrorCode.AlreadyExists });
        Assert.Equal([_node.Staging()], _node.Mounted);
        Assert.Equal(where == "middle" ? 1 : 0, Directory.EnumerateFileSystemEntries(outside).Count());
    }

    [Fact]
    public async Task A_root_that_is_itself_behind_a_link_works()
    {
        var moved = _node.Host.Combine("moved");
        Directory.Move(_node.Kubelet, moved);
        Directory.CreateSymbolicLink(_node.Kubelet, moved);
        await PublishWithDataAsync(_node.Target());
        await _node.PublishAsync(_node.Target());
        await _node.StageAsync();
        Assert.Equal(2, _node.Mounted.Count);
        await _node.UnpublishAsync(_node.Target());
        await _node.UnstageAsync();
        Assert.Empty(_node.Mounted);
    }

    [Theory]
    [InlineData("/etc/carina-target")]
    [InlineData("relative/path")]
    [InlineData("{0}/pods/../../escape")]
    [InlineData("{0}/pods/./x")]
    [InlineData("{0}//x")]
    [InlineData("{0}/pods/x/")]
    [InlineData("{0}")]
    [InlineData("{0}-sibling/x")]
    [InlineData("{0}/a\nb")]
    [InlineData("")]
    public async Task Paths_outside_or_in_odd_forms_are_invalid(string pattern)
    {
        await _node.CreateAsync();
        await _node.StageAsync();
        Directory.CreateDirectory(_node.Kubelet + "/pods");
        var path = string.Format(System.Globalization.CultureInfo.InvariantCulture, pattern, _node.Kubelet);
        await NodeHost.AssertFailsAsync(StorageErrorCode.InvalidArgument, () => _node.PublishAsync(path));
        await NodeHost.AssertFailsAsync(StorageErrorCode.InvalidArgument, () => _node.UnpublishAsync(path));
        await NodeHost.AssertFailsAsync(StorageErrorCode.InvalidArgument, () => _node.Volumes.UnstageAsync("volume-a", path, default));
        Assert.Equal([_node.Staging()], _node.Mounted);
    }

    [Fact]
    public async Task What_is_in_the_way_of_a_target_is_not_covered_up()
    {
        await _node.CreateAsync();
        await _node.StageAsync();
        var target = _node.Target();
        Directory.CreateDirectory(target);
        await File.WriteAllTextAsync(target + "/file", "kept");
        await NodeHost.AssertFailsAsync(StorageErrorCode.FailedPrecondition, () => _node.PublishAsync(target));

        var file = _node.Target("pod2");
        await File.WriteAllTextAsync(file, "kept");
        await NodeHost.AssertFailsAsync(StorageErrorCode.FailedPrecondition, () => _node.PublishAsync(file));
        await NodeHost.AssertFailsAsync(
            StorageErrorCode.FailedPrecondition, () => _node.PublishAsync(_node.Kubelet + "/no/such/parent"));

        await _node.UnstageAsync();
        await _node.StageAsync("block");
        await NodeHost.AssertFailsAsync(StorageErrorCode.FailedPrecondition, () => _node.PublishAsync(file, "block"));
        await NodeHost.AssertFailsAsync(StorageErrorCode.FailedPrecondition, () => _node.PublishAsync(target, "block"));
        Assert.Equal("kept", await File.ReadAllTextAsync(file));
        Assert.Empty(_node.Mounted);
    }

    [Fact]
    public async Task Killed_after_attaching_the_device()
    {
        await _node.CreateAsync();
        await _node.Backend.OpenAsync(NodeHost.Key(), default);
        _node.Restart();
        await _node.StageAsync();
        await _node.UnstageAsync();
        Assert.Null(_node.Backend.FindDevice("volume-a"));
    }

    [Theory]
    [InlineData("xfs", 126, 1)]
    [InlineData("ext4", 0, 4096)]
    public async Task Killed_while_making_the_file_system(string fileSystem, int offset, int count)
    {
        // What mkfs has written when it is killed at its last step: XFS is marked as in progress, ext4 lacks its first block.
        var file = await _node.CreateAsync();
        TestHost.Run("mkfs." + fileSystem, fileSystem == "ext4" ? ["-q", "-F", "-b", "4096", file] : ["-q", file]);
        await NodeVolumesRefusalTests.Poke(file, offset, [.. Enumerable.Repeat((byte)(count == 1 ? 1 : 0), count)]);
        await _node.StageAsync(fileSystem);
        Assert.Equal(fileSystem, TestHost.Run("findmnt", "-no", "FSTYPE", _node.Staging()));
    }

    [Theory]
    [InlineData("ext4", 4096)]
    [InlineData("xfs", 4096)]
    [InlineData("btrfs", 1 << 20)]
    public async Task A_file_system_whose_head_was_lost_is_not_taken_for_a_new_volume(string fileSystem, int lost)
    {
        var file = await _node.CreateAsync();
        await _node.StageAsync(fileSystem);
        await File.WriteAllTextAsync(_node.Staging() + "/data", "kept");
        await _node.UnstageAsync();
        await NodeVolumesRefusalTests.Poke(file, 0, new byte[lost]);
        var before = TestHost.Run("sha256sum", file);
        _node.Restart();
        await NodeHost.AssertFailsAsync(StorageErrorCode.FailedPrecondition, () => _node.StageAsync(fileSystem));
        Assert.Equal(before, TestHost.Run("sha256sum", file));
        Assert.Empty(_node.Mounted);
    }

    [Fact]
    public async Task Killed_between_the_two_steps_of_a_read_only_mount()
    {
        await PublishWithDataAsync(_node.Target("pod1"));
        Directory.CreateDirectory(_node.Scratch + "/volume-a");
        TestHost.Run("mount", "--bind", _node.Staging(), _node.Scratch + "/volume-a");
        _node.Restart();
        await _node.PublishAsync(_node.Target("pod2"), readOnly: true);
        Assert.False(Path.Exists(_node.Scratch + "/volume-a"));
        Assert.StartsWith("ro,", TestHost.Run("findmnt", "-no", "VFS-OPTIONS", _node.Target("pod2")), StringComparison.Ordinal);

        Directory.CreateDirectory(_node.Scratch + "/volume-a");
        TestHost.Run("mount", "--bind", _node.Staging(), _node.Scratch + "/volume-a");
        _node.Restart();
        await _node.UnpublishAsync(_node.Target("pod1"));
        await _node.UnpublishAsync(_node.Target("pod2"));
        await _node.UnstageAsync();
        Assert.Null(_node.Backend.FindDevice("volume-a"));
    }

    [Fact]
    public async Task Killed_after_making_the_target_or_after_unmounting_it()
    {
        await _node.CreateAsync();
        await _node.StageAsync();
        Directory.CreateDirectory(_node.Target());
        _node.Restart();
        await _node.PublishAsync(_node.Target());
        TestHost.Run("umount", _node.Target());
        _node.Restart();
        await _node.UnpublishAsync(_node.Target());
        Assert.False(Path.Exists(_node.Target()));

        TestHost.Run("umount", _node.Staging());
        _node.Restart();
        await _node.UnstageAsync();
        Assert.Null(_node.Backend.FindDevice("volume-a"));
    }

    [Fact]
    public async Task Mounts_that_were_stacked_are_all_taken_away()
    {
        await PublishWithDataAsync(_node.Target());
        TestHost.Run("mount", "--bind", _node.Staging(), _node.Target());
        await _node.UnpublishAsync(_node.Target());
        Assert.Equal([_node.Staging()], _node.Mounted);
    }

    [Fact]
    public async Task A_dirty_journal_is_recovered()
    {
        // A copy of the file while it is mounted is what a loss of power leaves.
        var file = await _node.CreateAsync();
        await _node.StageAsync();
        for (var i = 0; i < 50; i++)
            await File.WriteAllTextAsync($"{_node.Staging()}/{i}", "data");

        TestHost.Run("sync", "--file-system", _node.Staging());
        var copy = await _node.CreateAsync("volume-b");
        TestHost.Run("dd", "if=" + file, "of=" + copy, "bs=1M", "conv=notrunc,sparse", "status=none");
        await _node.StageAsync(id: "volume-b");
        Assert.Equal("data", await File.ReadAllTextAsync(_node.Staging("volume-b") + "/49"));
    }

    [Fact]
    public async Task A_clone_of_an_xfs_volume_is_mounted_beside_it()
    {
        var file = await _node.CreateAsync();
        await _node.StageAsync("xfs");
        await _node.UnstageAsync();
        var copy = await _node.CreateAsync("volume-b");
        TestHost.Run("dd", "if=" + file, "of=" + copy, "bs=1M", "conv=notrunc,sparse", "status=none");
        await _node.StageAsync("xfs");
        await _node.StageAsync("xfs", "volume-b");
        Assert.Equal(2, _node.Mounted.Count);
    }

    [Fact]
    public async Task A_mount_whose_volume_is_gone_from_the_pool_can_still_be_taken_away()
    {
        // As after failover: the copy that stayed behind was renamed, while a pod still has it mounted.
        var file = await _node.CreateAsync();
        await _node.StageAsync();
        await _node.PublishAsync(_node.Target());
        File.Move(file, file + ".quarantined");
        _node.Restart();
        Assert.Null(_node.Backend.FindDevice("volume-a"));
        await _node.UnpublishAsync(_node.Target());
        await _node.UnstageAsync();
        Assert.Empty(_node.Mounted);
    }
}
