using System.Diagnostics;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Carina.Harness.Data;
using Carina.RecordWriter;
using Carina.Silo.Backends;
using Carina.Silo.Backends.Files;
using Carina.Silo.Fencing;
using Carina.Silo.Tests.Linux;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carina.Silo.Tests.Fencing;

/// <summary>Volumes in files.</summary>
[Collection(FileNodeCollection.Name)]
public sealed class FileFenceTests() : FenceTests(FileNode.MakeAsync)
{
    private string ImageOf(string volume) => Node.Host.Combine($"disk/pool/{volume}.img");

    [Fact]
    public async Task What_is_not_ours_is_left_alone()
    {
        await using (var file = File.Create(ImageOf("volume-b")))
            file.SetLength(FencedNode.Size);

        var loop = TestHost.Run("losetup", "--find", "--show", ImageOf("volume-b"));
        await FencedNode.AssertRefusedAsync(() => Node.FenceAsync(volume: "volume-b"));
        TestHost.Run("dd", "if=/dev/zero", "of=" + loop, "bs=4096", "seek=100", "count=1", "oflag=direct", "status=none");
        Assert.Empty(Node.Fenced.All);
        TestHost.Run("losetup", "--detach", loop);
        File.Delete(ImageOf("volume-b"));
    }

    [Fact]
    public async Task Every_loop_device_of_the_file_is_cut_off_also_before_the_first_scan()
    {
        await Node.StageAsync("block");
        var mine = Node.Backend.FindDevice(FencedNode.Volume)!.Path;
        var other = TestHost.Run("losetup", "--find", "--show", ImageOf(FencedNode.Volume));
        var unscanned = new FileBackend(TestHost.Runner, TimeProvider.System, new NoCrashPoints(), NullLogger<FileBackend>.Instance);
        var devices = await unscanned.IdentifyAsync(Node.Key, default);
        Assert.Equal(new[] { mine, other }.Order(), devices.Select(device => device.Path).Order());
        await FencedNode.AssertRefusedAsync(() => unscanned.IdentifyAsync(Node.Key with { Generation = 2 }, default));

        await Node.FenceAsync();
        Assert.All(devices, device => Assert.True(DeviceCut.IsCut(device)));
        foreach (var path in new[] { mine, other })
            Assert.NotEqual(0, TestHost.TryRun("dd", "if=/dev/zero", "of=" + path, "bs=4096", "count=1", "oflag=direct").ExitCode);

        await Node.LiftAsync();
        Assert.All(devices, device => Assert.False(DeviceCut.IsCut(device)));
    }

    [Fact]
    public async Task Only_processes_that_can_write_to_the_bare_device_are_killed()
    {
        await Node.CreateAsync("volume-c");
        await Node.StageAsync("block");
        await Node.PublishAsync("block");
        await using var reader = File.OpenRead(Node.Target);
        using var writer = RecordingWriter.Start(WritingWay.Mapped, Node.Target);
        using var bystander = RecordingWriter.Start(WritingWay.Direct, Node.Host.Combine("disk/other"));
        await writer.WaitForAsync(5);
        await Node.FenceAsync();
        Assert.False(writer.IsAlive);
        Assert.True(bystander.IsAlive);
        await bystander.WaitForAsync(bystander.Acknowledged.Count + 5);
    }

    [Theory]
    [InlineData("ext4")]
    [InlineData("block")]
    public async Task A_disk_that_does_not_answer_holds_a_fence_up_no_longer_than_it_may(string fileSystem)
    {
        await Node.StageAsync(fileSystem);
        await Node.PublishAsync(fileSystem);
        using var writer = RecordingWriter.Start(WritingWay.Direct, fileSystem == "block" ? Node.Target : Node.Target + "/records");
        await writer.WaitForAsync(50);
        TestHost.Run("fsfreeze", "--freeze", Node.Host.Combine("disk"));
        try
        {
            var written = writer.Acknowledged.Count;
            await Task.Delay(500);
            Assert.SkipUnless(
                writer.Acknowledged.Count <= written + 1, "This kernel (6.1 does) lets loop devices write to a frozen file system.");
            var started = Stopwatch.GetTimestamp();
            using var time = new CancellationTokenSource(TimeSpan.FromSeconds(2));
            var failure = await Assert.ThrowsAsync<StorageException>(() => Node.Fence.FenceAsync(Node.Key, "stuck", time.Token));
            Assert.Equal(StorageErrorCode.Unavailable, failure.Code);
            Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30));
            await FencedNode.AssertRefusedAsync(() => Node.StageAsync(fileSystem));

            // Others are not held up by what still waits.
            var device = fileSystem == "block" ? Node.Target : LoopDevices.FindByFileName(FencedNode.Volume + ".img")[0].Path;
            Assert.Equal(0UL, await Task.Run(() => LoopDevices.SizeLimitOf(device)).WaitAsync(TimeSpan.FromSeconds(10)));
        }
        finally
        {
            TestHost.Run("fsfreeze", "--unfreeze", Node.Host.Combine("disk"));
        }

        await Node.FenceAsync();
        var fenced = Stopwatch.GetTimestamp();
        await writer.WaitForEndOfSuccessAsync();
        await writer.StopAsync();
        Assert.DoesNotContain(writer.Acknowledged, record => record.Begun > fenced);
    }

    [Fact]
    public async Task A_bare_device_is_not_said_to_be_fenced_where_not_all_processes_are_seen()
    {
        Node.SeesAllProcesses = false;
        await Node.RestartAsync();
        await Node.StageAsync("block");
        await Node.FenceAsync();
        await Node.LiftAsync();
        await Node.StageAsync("block");
        await Node.PublishAsync("block");
        var failure = await Assert.ThrowsAsync<StorageException>(() => Node.FenceAsync());
        Assert.Equal(StorageErrorCode.Internal, failure.Code);
        Assert.Contains("hostPID", failure.Message, StringComparison.Ordinal);
        Assert.NotEqual(0, TestHost.TryRun("dd", "if=/dev/zero", "of=" + Node.Target, "bs=4096", "count=1", "oflag=direct").ExitCode);
        await Node.RemoveFromPodsAsync();
        await Node.FenceAsync();
    }

    [Fact]
    public async Task A_fence_of_another_generation_does_not_forget_an_earlier_one()
    {
        await Node.FenceAsync();
        await FencedNode.AssertRefusedAsync(() => Node.FenceAsync(2));
        Assert.Equal(1, Assert.Single(Node.Fenced.All).Generation);
        await FencedNode.AssertRefusedAsync(() => Node.StageAsync("ext4"));
    }

    [Fact]
    public async Task A_loop_device_that_is_given_up_while_fenced_is_writable_for_the_next()
    {
        await Node.StageAsync("block");
        var path = Node.Backend.FindDevice(FencedNode.Volume)!.Path;
        await Node.FenceAsync();
        var outcome = await Node.Backend.ExecuteAsync(Node.Pool, [new PoolCommand(PoolCommandKind.Delete, Node.Key, 0)], default);
        Assert.Null(outcome[0].Error);
        Assert.False(Silo.Linux.BlockDeviceNode.IsReadOnly(path));
    }

    [Fact]
    public async Task Nothing_is_used_while_the_memory_cannot_be_read_and_it_is_not_overwritten()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Node.MemoryFile)!);
        await File.WriteAllTextAsync(Node.MemoryFile, "[{\"volumeId\":");
        await Node.RestartAsync();
        await FencedNode.AssertRefusedAsync(() => Node.StageAsync("ext4"));
        Assert.Equal(StorageErrorCode.Internal, (await Assert.ThrowsAsync<StorageException>(() => Node.FenceAsync())).Code);
        Assert.Equal("[{\"volumeId\":", await File.ReadAllTextAsync(Node.MemoryFile));
        File.Delete(Node.MemoryFile);
        await Node.RestartAsync();
        await Node.StageAsync("ext4");
    }
}
