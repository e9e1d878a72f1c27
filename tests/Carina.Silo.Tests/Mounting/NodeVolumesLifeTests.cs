using System.Globalization;
using Carina.Grains;
using Carina.Grains.Errors;
using Carina.Silo.Tests.Linux;

namespace Carina.Silo.Tests.Mounting;

/// <summary>Whole lives of volumes; each step is done twice, and by a new process each time.</summary>
public sealed class NodeVolumesLifeTests : IDisposable
{
    private readonly NodeHost _node = new();

    public void Dispose() => _node.Dispose();

    private async Task TwiceAsync(Func<Task> step)
    {
        await step();
        _node.Restart();
        await step();
        _node.Restart();
    }

    [Theory]
    [InlineData("ext4")]
    [InlineData("xfs")]
    [InlineData("btrfs")]
    public async Task A_file_system_volume_lives_and_keeps_its_data(string fileSystem)
    {
        await _node.CreateAsync();
        var (first, second) = (_node.Target("pod1"), _node.Target("pod2"));
        await TwiceAsync(() => _node.StageAsync(fileSystem));
        await TwiceAsync(() => _node.PublishAsync(first, fileSystem));
        await File.WriteAllTextAsync(first + "/data", "kept");
        await TwiceAsync(() => _node.PublishAsync(second, fileSystem, readOnly: true));
        Assert.Equal("kept", await File.ReadAllTextAsync(second + "/data"));
        Assert.Throws<IOException>(() => File.WriteAllText(second + "/other", ""));

        var usage = await _node.Volumes.GetUsageAsync(NodeHost.Key(), first, default);
        Assert.Equal("", usage.Problem);
        Assert.InRange(usage.TotalBytes, NodeHost.Size / 2, NodeHost.Size);
        Assert.InRange(usage.AvailableBytes, 1, usage.TotalBytes - usage.UsedBytes);

        await TwiceAsync(() => _node.UnpublishAsync(first));
        await TwiceAsync(() => _node.UnpublishAsync(second));
        Assert.False(Path.Exists(first) || Path.Exists(second));
        Assert.Equal([_node.Staging()], _node.Mounted);
        await TwiceAsync(() => _node.UnstageAsync());
        Assert.Empty(_node.Mounted);
        Assert.Null(_node.Backend.FindDevice("volume-a"));

        await _node.StageAsync(fileSystem);
        Assert.Equal("kept", await File.ReadAllTextAsync(_node.Staging() + "/data"));
        await _node.UnstageAsync();
        Assert.Null(await _node.DeleteAsync());
    }

    // Where this machine withholds CAP_SYS_RESOURCE, ./test runs this under a kernel of its own.
    [Fact]
    [Trait("Kernel", "growing-ext4")]
    public Task An_ext4_grows_while_it_is_mounted() => GrowWhileMountedAsync("ext4");

    [Theory]
    [InlineData("xfs")]
    [InlineData("btrfs")]
    public Task A_file_system_grows_while_it_is_mounted(string fileSystem) => GrowWhileMountedAsync(fileSystem);

    private async Task GrowWhileMountedAsync(string fileSystem)
    {
        await _node.CreateAsync();
        await _node.StageAsync(fileSystem);
        await _node.PublishAsync(_node.Target("reader"), fileSystem, readOnly: true);
        await _node.PublishAsync(_node.Target("writer"), fileSystem);
        await File.WriteAllTextAsync(_node.Target("writer") + "/data", "kept");
        await _node.GrowAsync(2 * NodeHost.Size);
        await TwiceAsync(async () => Assert.Equal(
            2 * NodeHost.Size, await _node.Volumes.ExpandAsync(NodeHost.Key(), _node.Target("reader"), default)));
        var grown = await _node.Volumes.GetUsageAsync(NodeHost.Key(), _node.Staging(), default);
        Assert.InRange(grown.TotalBytes, NodeHost.Size * 3 / 2, NodeHost.Size * 2);
        Assert.Equal("kept", await File.ReadAllTextAsync(_node.Target("reader") + "/data"));
    }

    [Fact]
    public async Task A_block_volume_lives_and_keeps_its_data()
    {
        await _node.CreateAsync();
        var (first, second) = (_node.Target("pod1"), _node.Target("pod2"));
        await TwiceAsync(() => _node.StageAsync("block"));
        await TwiceAsync(() => _node.PublishAsync(first, "block"));
        Write(first, "kept");
        await TwiceAsync(() => _node.PublishAsync(second, "block"));
        Assert.Equal("kept", Read(second));
        Assert.Equal(NodeHost.Size, (await _node.Volumes.GetUsageAsync(NodeHost.Key(), first, default)).TotalBytes);

        await _node.GrowAsync(2 * NodeHost.Size);
        await TwiceAsync(async () => Assert.Equal(2 * NodeHost.Size, await _node.Volumes.ExpandAsync(NodeHost.Key(), first, default)));
        Assert.Equal((2 * NodeHost.Size).ToString(CultureInfo.InvariantCulture), TestHost.Run("blockdev", "--getsize64", second));

        await TwiceAsync(() => _node.UnpublishAsync(first));
        await NodeHost.AssertFailsAsync(StorageErrorCode.FailedPrecondition, () => _node.UnstageAsync());
        await TwiceAsync(() => _node.UnpublishAsync(second));
        Assert.False(Path.Exists(first) || Path.Exists(second));
        await TwiceAsync(() => _node.UnstageAsync());
        Assert.Null(_node.Backend.FindDevice("volume-a"));

        await _node.StageAsync("block");
        await _node.PublishAsync(first, "block");
        Assert.Equal("kept", Read(first));
    }

    [Fact]
    public async Task A_read_only_block_volume_cannot_be_written_until_somebody_may()
    {
        await _node.CreateAsync();
        await _node.StageAsync("block");
        await TwiceAsync(() => _node.PublishAsync(_node.Target("reader"), "block", readOnly: true));
        Assert.NotEqual(0, TestHost.TryRun("dd", "if=/dev/zero", "of=" + _node.Target("reader"), "bs=4096", "count=1", "oflag=direct").ExitCode);
        await NodeHost.AssertFailsAsync(
            StorageErrorCode.AlreadyExists, () => _node.PublishAsync(_node.Target("reader"), "block"));

        await _node.PublishAsync(_node.Target("writer"), "block");
        Write(_node.Target("writer"), "data");
        await _node.UnpublishAsync(_node.Target("writer"));
        await _node.UnpublishAsync(_node.Target("reader"));
        await _node.UnstageAsync();
        await _node.StageAsync("block");
        await _node.PublishAsync(_node.Target("writer"), "block");
        Write(_node.Target("writer"), "more");
    }

    [Fact]
    public async Task Unknown_volumes_and_paths_are_already_gone()
    {
        foreach (var id in new[] { "volume-unknown", "fake-vol-id", "../../etc" })
        {
            await _node.UnstageAsync(id.Replace("../", "", StringComparison.Ordinal));
            await _node.Volumes.UnstageAsync(id, _node.Kubelet + "/nowhere/at/all", default);
            await _node.UnpublishAsync(_node.Kubelet + "/nowhere/mount", id);
            var target = _node.Target();
            Directory.CreateDirectory(target);
            await _node.UnpublishAsync(target, id);
            Assert.False(Path.Exists(target));
            await NodeHost.AssertFailsAsync(
                StorageErrorCode.NotFound, () => _node.Volumes.GetUsageAsync(NodeHost.Key(id), _node.Staging(), default));
        }
    }

    [Fact]
    public async Task Read_ahead_is_applied_when_staged()
    {
        await _node.CreateAsync();
        var request = _node.StageRequest() with
        {
            MutableParameters = new Dictionary<string, string> { [CarinaNames.ReadAheadKiB] = "1024" },
        };
        await _node.Volumes.StageAsync(request, default);
        var device = Path.GetFileName(_node.Backend.FindDevice("volume-a")!.Path);
        Assert.Equal("1024", (await File.ReadAllTextAsync($"/sys/block/{device}/queue/read_ahead_kb")).Trim());

        foreach (var value in new[] { "-1", "many", "99999999999", "" })
        {
            request = request with { MutableParameters = new Dictionary<string, string> { [CarinaNames.ReadAheadKiB] = value } };
            await NodeHost.AssertFailsAsync(StorageErrorCode.InvalidArgument, () => _node.Volumes.StageAsync(request, default));
        }
    }

    [Fact]
    public async Task Many_volumes_at_once_and_many_calls_for_one_do_not_disturb_each_other()
    {
        var ids = Enumerable.Range(0, 6).Select(i => $"volume-{i}").ToList();
        foreach (var id in ids)
            await _node.CreateAsync(id, 64 << 20);

        await Task.WhenAll(ids.Concat(ids).Concat(ids).Select(id => _node.StageAsync(id: id)));
        Assert.Equal(ids.Count, _node.Mounted.Count);
        foreach (var id in ids)
        {
            await Task.WhenAll(Enumerable.Range(0, 3).Select(
                _ => _node.Volumes.PublishAsync(_node.PublishRequest(_node.Target(id), id: id) with { ReadOnly = true }, default)));
        }

        Assert.Equal(2 * ids.Count, _node.Mounted.Count);
        await Task.WhenAll(ids.Concat(ids).Select(id => _node.UnpublishAsync(_node.Target(id), id)));
        await Task.WhenAll(ids.Concat(ids).Select(id => _node.UnstageAsync(id)));
        Assert.Empty(_node.Mounted);
        Assert.All(ids, id => Assert.Null(_node.Backend.FindDevice(id)));
    }

    private static void Write(string device, string text)
    {
        using var file = File.OpenHandle(device, FileMode.Open, FileAccess.Write);
        RandomAccess.Write(file, System.Text.Encoding.ASCII.GetBytes(text), 0);
        RandomAccess.FlushToDisk(file);
    }

    private static string Read(string device)
    {
        using var file = File.OpenHandle(device);
        var buffer = new byte[4];
        RandomAccess.Read(file, buffer, 0);
        return System.Text.Encoding.ASCII.GetString(buffer);
    }
}
