using Carina.Grains.Errors;
using Carina.Silo.Tests.Linux;

namespace Carina.Silo.Tests.Mounting;

/// <summary>What is refused, and that nothing is changed or deleted when it is.</summary>
public sealed class NodeVolumesRefusalTests : IDisposable
{
    private readonly NodeHost _node = new();

    public void Dispose() => _node.Dispose();

    [Theory]
    [InlineData("xfs", "ext4")]
    [InlineData("ext4", "xfs")]
    [InlineData("btrfs", "ext4")]
    public async Task Another_file_system_on_the_device_is_left_as_it_is(string present, string asked)
    {
        var file = await _node.CreateAsync();
        TestHost.Run("mkfs." + present, "-q", file);
        var before = TestHost.Run("sha256sum", file);
        var failure = await NodeHost.AssertFailsAsync(StorageErrorCode.FailedPrecondition, () => _node.StageAsync(asked));
        Assert.Contains(present, failure.Message, StringComparison.Ordinal);
        Assert.Equal(before, TestHost.Run("sha256sum", file));
        Assert.Empty(_node.Mounted);
    }

    [Fact]
    public async Task Data_of_unknown_kind_is_not_formatted()
    {
        var file = await _node.CreateAsync();
        await using (var stream = File.OpenWrite(file))
        {
            stream.Position = 2000;
            stream.WriteByte(1);
        }

        var before = TestHost.Run("sha256sum", file);
        await NodeHost.AssertFailsAsync(StorageErrorCode.FailedPrecondition, () => _node.StageAsync());
        Assert.Equal(before, TestHost.Run("sha256sum", file));
    }

    [Fact]
    public async Task A_file_system_whose_magic_number_was_lost_is_not_formatted_anew()
    {
        var file = await _node.CreateAsync();
        await _node.StageAsync();
        await _node.UnstageAsync();
        await Poke(file, 1024 + 56, 0, 0);
        var before = TestHost.Run("sha256sum", file);
        await NodeHost.AssertFailsAsync(StorageErrorCode.FailedPrecondition, () => _node.StageAsync());
        Assert.Equal(before, TestHost.Run("sha256sum", file));
    }

    [Theory]
    [InlineData("ssv state 2")]
    [InlineData("ssv state 1")]
    public async Task Damage_that_needs_a_decision_is_left_to_a_person(string state)
    {
        var file = await _node.CreateAsync();
        await _node.StageAsync();
        await File.WriteAllTextAsync(_node.Staging() + "/data", "kept");
        await _node.UnstageAsync();
        TestHost.Run("debugfs", "-w", "-R", "clri <2>", file);
        TestHost.Run("debugfs", "-w", "-R", state, file);
        var failure = await NodeHost.AssertFailsAsync(StorageErrorCode.FailedPrecondition, () => _node.StageAsync());
        Assert.Contains("e2fsck", failure.Message, StringComparison.Ordinal);
        Assert.Empty(_node.Mounted);
    }

    [Fact]
    public async Task The_same_path_with_other_arguments_already_exists()
    {
        await _node.CreateAsync();
        await _node.StageAsync();
        await NodeHost.AssertFailsAsync(StorageErrorCode.AlreadyExists, () => _node.StageAsync("xfs"));
        await NodeHost.AssertFailsAsync(StorageErrorCode.AlreadyExists, () => _node.StageAsync("block"));
        await NodeHost.AssertFailsAsync(
            StorageErrorCode.AlreadyExists,
            () => _node.Volumes.StageAsync(_node.StageRequest() with { MountFlags = ["noatime"] }, default));
        await NodeHost.AssertFailsAsync(
            StorageErrorCode.AlreadyExists,
            () => _node.Volumes.StageAsync(_node.StageRequest() with { StagingPath = _node.Staging("volume-b") }, default));

        var target = _node.Target();
        await _node.PublishAsync(target);
        await NodeHost.AssertFailsAsync(StorageErrorCode.AlreadyExists, () => _node.PublishAsync(target, readOnly: true));
        await NodeHost.AssertFailsAsync(StorageErrorCode.AlreadyExists, () => _node.PublishAsync(target, "block"));
        await NodeHost.AssertFailsAsync(StorageErrorCode.AlreadyExists, () => _node.PublishAsync(target, "xfs"));
        await _node.PublishAsync(_node.Target("pod2"), readOnly: true);
        await NodeHost.AssertFailsAsync(StorageErrorCode.AlreadyExists, () => _node.PublishAsync(_node.Target("pod2")));
        Assert.Equal(3, _node.Mounted.Count);
    }

    [Fact]
    public async Task A_volume_published_as_a_device_is_not_mounted_as_well()
    {
        await _node.CreateAsync();
        await _node.StageAsync("block");
        await _node.PublishAsync(_node.Target(), "block");
        await NodeHost.AssertFailsAsync(StorageErrorCode.AlreadyExists, () => _node.StageAsync());
        Assert.Equal([_node.Target()], _node.Mounted);
    }

    [Fact]
    public async Task An_exclusive_volume_has_one_target()
    {
        await _node.CreateAsync();
        await _node.StageAsync();
        var first = _node.PublishRequest(_node.Target("pod1")) with { Exclusive = true };
        await _node.Volumes.PublishAsync(first, default);
        await _node.Volumes.PublishAsync(first, default);

        // Kubelet's own mounts for a subPath are not another pod.
        Directory.CreateDirectory(_node.Target("pod1") + "/sub");
        var subPath = Directory.CreateDirectory(_node.Kubelet + "/pods/pod1/subpath").FullName;
        TestHost.Run("mount", "--bind", _node.Target("pod1") + "/sub", subPath);
        await _node.Volumes.PublishAsync(first, default);

        var second = first with { TargetPath = _node.Target("pod2") };
        await NodeHost.AssertFailsAsync(StorageErrorCode.FailedPrecondition, () => _node.Volumes.PublishAsync(second, default));
        TestHost.Run("umount", subPath);
        await _node.UnpublishAsync(first.TargetPath);
        await _node.Volumes.PublishAsync(second, default);
    }

    [Fact]
    public async Task Publishing_needs_staging_and_unstaging_needs_unpublishing()
    {
        await _node.CreateAsync();
        await NodeHost.AssertFailsAsync(StorageErrorCode.FailedPrecondition, () => _node.PublishAsync(_node.Target()));
        await _node.StageAsync("block");
        await NodeHost.AssertFailsAsync(StorageErrorCode.FailedPrecondition, () => _node.PublishAsync(_node.Target()));
        await _node.StageAsync();
        await _node.PublishAsync(_node.Target());
        await NodeHost.AssertFailsAsync(StorageErrorCode.FailedPrecondition, () => _node.UnstageAsync());
        Assert.Equal(StorageErrorCode.FailedPrecondition, await _node.DeleteAsync());
        Assert.Equal(2, _node.Mounted.Count);
    }

    [Fact]
    public async Task Contradictory_or_dangerous_options_are_invalid()
    {
        await _node.CreateAsync();
        foreach (var flag in new[] { "a,b", "x\ny", "remount", "" })
        {
            await NodeHost.AssertFailsAsync(
                StorageErrorCode.InvalidArgument,
                () => _node.Volumes.StageAsync(_node.StageRequest() with { MountFlags = [flag] }, default));
        }

        await NodeHost.AssertFailsAsync(StorageErrorCode.InvalidArgument, () => _node.StageAsync("ntfs"));
        await _node.StageAsync();
        await NodeHost.AssertFailsAsync(
            StorageErrorCode.InvalidArgument,
            () => _node.Volumes.PublishAsync(
                _node.PublishRequest(_node.Target()) with { ReadOnly = true, MountFlags = ["rw"] }, default));
        await NodeHost.AssertFailsAsync(
            StorageErrorCode.FailedPrecondition,
            () => _node.Volumes.StageAsync(_node.StageRequest(id: "volume-b") with { Key = new("volume-b", "no-such-pool", 1) }, default));
    }

    [Fact]
    public async Task Options_of_the_kernel_are_in_force_and_targets_can_restrict_them_further()
    {
        await _node.CreateAsync();
        var stage = _node.StageRequest() with { MountFlags = ["noatime", "nosuid", "discard"] };
        await _node.Volumes.StageAsync(stage, default);
        await _node.Volumes.StageAsync(stage, default);
        var publish = _node.PublishRequest(_node.Target()) with { MountFlags = ["noatime", "nosuid", "discard", "noexec"] };
        await _node.Volumes.PublishAsync(publish, default);
        await _node.Volumes.PublishAsync(publish, default);
        Assert.Equal("rw,nosuid,noatime", TestHost.Run("findmnt", "-no", "VFS-OPTIONS", _node.Staging()));
        Assert.Equal("rw,nosuid,noexec,noatime", TestHost.Run("findmnt", "-no", "VFS-OPTIONS", _node.Target()));
        Assert.Contains("discard", TestHost.Run("findmnt", "-no", "FS-OPTIONS", _node.Target()), StringComparison.Ordinal);
        await _node.UnpublishAsync(_node.Target());
        await _node.UnstageAsync();

        // An option that the file system does not know is told apart from damage as well as the kernel allows.
        await NodeHost.AssertFailsAsync(
            StorageErrorCode.FailedPrecondition,
            () => _node.Volumes.StageAsync(_node.StageRequest() with { MountFlags = ["no-such-option"] }, default));
    }

    [Fact]
    public async Task A_mount_group_gets_the_root_and_nothing_below_it()
    {
        await _node.CreateAsync();
        await _node.StageAsync();
        await File.WriteAllTextAsync(_node.Staging() + "/private", "x");
        TestHost.Run("chmod", "0640", _node.Staging() + "/private");
        var request = _node.PublishRequest(_node.Target()) with { MountGroup = 4711 };
        await _node.Volumes.PublishAsync(request, default);
        await _node.Volumes.PublishAsync(request with { TargetPath = _node.Target("pod2"), ReadOnly = true }, default);
        Assert.Equal("0:4711 2775", TestHost.Run("stat", "-c", "%u:%g %a", _node.Target()));
        Assert.Equal("0:0 640", TestHost.Run("stat", "-c", "%u:%g %a", _node.Target() + "/private"));
    }

    [Fact]
    public async Task A_file_system_that_the_kernel_stopped_is_reported()
    {
        await _node.CreateAsync();
        await _node.Volumes.StageAsync(_node.StageRequest() with { MountFlags = ["errors=remount-ro"] }, default);
        await _node.PublishAsync(_node.Target());
        var device = Path.GetFileName(_node.Backend.FindDevice("volume-a")!.Path);
        await File.WriteAllTextAsync($"/sys/fs/ext4/{device}/trigger_fs_error", "test");
        Assert.Contains("error", await AwaitProblemAsync(_node.Target()), StringComparison.Ordinal);

        await _node.UnpublishAsync(_node.Target());
        await _node.UnstageAsync();
        await _node.StageAsync();
        Assert.Equal("", (await _node.Volumes.GetUsageAsync(NodeHost.Key(), _node.Staging(), default)).Problem);
    }

    [Fact]
    public async Task Recorded_errors_are_reported_while_the_volume_works_on()
    {
        await _node.CreateAsync();
        await _node.Volumes.StageAsync(_node.StageRequest() with { MountFlags = ["errors=continue"] }, default);
        var device = Path.GetFileName(_node.Backend.FindDevice("volume-a")!.Path);
        await File.WriteAllTextAsync($"/sys/fs/ext4/{device}/trigger_fs_error", "test");
        Assert.Contains("recorded 1 errors", await AwaitProblemAsync(_node.Staging()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Usage_of_a_path_that_is_not_this_volumes_is_not_found()
    {
        await _node.CreateAsync();
        await _node.CreateAsync("volume-b");
        await _node.StageAsync();
        await _node.StageAsync(id: "volume-b");
        foreach (var path in new[] { _node.Staging("volume-b"), _node.Kubelet, "some/path", "/proc", _node.Kubelet + "/../x", _node.Target() })
        {
            await NodeHost.AssertFailsAsync(StorageErrorCode.NotFound, () => _node.Volumes.GetUsageAsync(NodeHost.Key(), path, default));
            await NodeHost.AssertFailsAsync(StorageErrorCode.NotFound, () => _node.Volumes.ExpandAsync(NodeHost.Key(), path, default));
        }
    }

    // The kernel writes the count of errors down a moment later.
    private async Task<string> AwaitProblemAsync(string path)
    {
        var problem = "";
        for (var i = 0; i < 100 && problem.Length == 0; i++)
        {
            await Task.Delay(20);
            problem = (await _node.Volumes.GetUsageAsync(NodeHost.Key(), path, default)).Problem;
        }

        return problem;
    }

    internal static async Task Poke(string path, long offset, params byte[] bytes)
    {
        await using var stream = File.OpenWrite(path);
        stream.Position = offset;
        await stream.WriteAsync(bytes);
    }
}
