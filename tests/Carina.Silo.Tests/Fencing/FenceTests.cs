using System.Diagnostics;
using Carina.Grains.Errors;
using Carina.Harness.Data;
using Carina.RecordWriter;
using Carina.Silo.Copying;
using Carina.Silo.Fencing;
using Carina.Silo.Tests.Linux;

namespace Carina.Silo.Tests.Fencing;

/// <summary>What holds for a volume of any kind: processes that write, a fence amid that, and what is on the disk then.</summary>
public abstract class FenceTests(Func<Task<FencedNode>> makeNode) : IAsyncLifetime
{
    protected FencedNode Node { get; private set; } = null!;

    public static MatrixTheoryData<string, WritingWay> Writers { get; } =
        new(["ext4", "xfs", "btrfs", "block"], Enum.GetValues<WritingWay>());

    public async ValueTask InitializeAsync()
    {
        Node = await makeNode();
        await Node.CreateAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Node.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Theory]
    [MemberData(nameof(Writers))]
    public async Task No_write_is_acknowledged_after_a_fence_and_all_that_were_are_on_the_disk(string fileSystem, WritingWay way)
    {
        await Node.StageAsync(fileSystem);
        await Node.PublishAsync(fileSystem);
        var path = fileSystem == "block" ? Node.Target : Node.Target + "/records";
        using var writer = RecordingWriter.Start(way, path);
        await writer.WaitForAsync(200);

        var asked = Stopwatch.GetTimestamp();
        await Node.FenceAsync();
        var fenced = Stopwatch.GetTimestamp();
        await writer.WaitForEndOfSuccessAsync();
        await writer.StopAsync();

        var late = writer.Acknowledged.Where(record => record.Acknowledged > fenced).ToList();
        TestContext.Current.SendDiagnosticMessage(
            $"{GetType().Name} {fileSystem} {way}: fenced in {Stopwatch.GetElapsedTime(asked, fenced).TotalMilliseconds:F1} ms, "
            + $"{writer.Acknowledged.Count} records, {late.Count} heard of afterwards");
        Assert.DoesNotContain(late, record => record.Begun > fenced);

        // The last one before may be heard of late, which its process cannot help.
        Assert.InRange(late.Count, 0, 1);

        await FencedNode.AssertRefusedAsync(() => Node.StageAsync(fileSystem));
        await FencedNode.AssertRefusedAsync(() => Node.PublishAsync(fileSystem));
        await Node.LiftAsync();
        await Node.StageAsync(fileSystem);
        if (fileSystem != "block")
            await Node.PublishAsync(fileSystem);

        writer.RequireAllIn(path);
        await Node.RemoveFromPodsAsync();
        Assert.Null(Node.Backend.FindDevice(FencedNode.Volume));
    }

    [Theory]
    [InlineData("ext4")]
    [InlineData("xfs")]
    [InlineData("btrfs")]
    public async Task What_is_fenced_can_be_taken_from_its_pods_and_a_pod_gets_it_back_after_the_lift(string fileSystem)
    {
        await Node.StageAsync(fileSystem);
        await Node.PublishAsync(fileSystem);
        await File.WriteAllTextAsync(Node.Target + "/data", "kept");
        TestHost.Run("sync", "--file-system", Node.Target);
        await Node.FenceAsync();
        Assert.ThrowsAny<IOException>(() => File.WriteAllText(Node.Target + "/more", "lost"));
        await Node.RemoveFromPodsAsync();
        await Node.FenceAsync();
        await FencedNode.AssertRefusedAsync(() => Node.StageAsync(fileSystem));

        await Node.LiftAsync();
        await Node.StageAsync(fileSystem);
        Assert.Equal("kept", await File.ReadAllTextAsync(Node.Staging + "/data"));
        await File.WriteAllTextAsync(Node.Staging + "/more", "written");
    }

    [Theory]
    [InlineData("ext4")]
    [InlineData("xfs")]
    [InlineData("block")]
    public async Task Many_writers_and_much_that_is_not_written_yet_do_not_escape(string fileSystem)
    {
        await Node.StageAsync(fileSystem);
        await Node.PublishAsync(fileSystem);
        using var flood = Process.Start(
            "dd", ["if=/dev/zero", "of=" + Node.Target + (fileSystem == "block" ? "" : "/flood"), "bs=1M", "seek=100", "count=150", "conv=notrunc", "status=none"]);
        var writers = (fileSystem == "block" ? [Node.Target] : new[] { "/a", "/b", "/c" }.Select(name => Node.Target + name))
            .Select(path => RecordingWriter.Start(WritingWay.Buffered, path)).ToList();
        try
        {
            foreach (var writer in writers)
                await writer.WaitForAsync(20);

            var asked = Stopwatch.GetTimestamp();
            await Node.FenceAsync();
            var fenced = Stopwatch.GetTimestamp();
            foreach (var writer in writers)
            {
                await writer.WaitForEndOfSuccessAsync();
                await writer.StopAsync();
                Assert.DoesNotContain(writer.Acknowledged, record => record.Begun > fenced);
            }

            await flood.WaitForExitAsync();
            TestContext.Current.SendDiagnosticMessage(
                $"{GetType().Name} {fileSystem}, {writers.Count} writers and a flood: fenced in {Stopwatch.GetElapsedTime(asked, fenced).TotalMilliseconds:F1} ms");
        }
        finally
        {
            writers.ForEach(writer => writer.Dispose());
        }
    }

    // Its kubelet is dead and its containers go on: what they have written is taken along all the same.
    [Fact]
    public async Task What_is_fenced_can_still_be_read_to_be_copied()
    {
        await Node.StageAsync("block");
        await Node.PublishAsync("block");
        var written = new byte[1 << 20];
        Random.Shared.NextBytes(written);
        var source = Node.Host.Combine("written");
        await File.WriteAllBytesAsync(source, written);
        TestHost.Run("dd", "if=" + source, "of=" + Node.Target, "bs=64k", "seek=16", "conv=notrunc,fsync", "status=none");
        await Node.FenceAsync();
        using var content = await ((IVolumeContents)Node.Backend).OpenForReadingAsync(Node.Key, default);
        var buffer = VolumeContent.AllocateBuffer(written.Length);
        content.Read(written.Length, buffer.Span);
        Assert.True(buffer.Span.SequenceEqual(written));
        await Assert.ThrowsAsync<StorageException>(() => ((IVolumeContents)Node.Backend).OpenForWritingAsync(Node.Key, default));
    }

    // A container that outlived the unmount of its volume on the host, or had it in a mount namespace that nothing reaches.
    [Theory]
    [InlineData("ext4")]
    [InlineData("xfs")]
    public async Task What_is_mounted_in_another_namespace_only_is_fenced_too(string fileSystem)
    {
        await Node.StageAsync(fileSystem);
        using var writer = RecordingWriter.Start(
            WritingWay.Direct, Node.Staging + "/records", "unshare", "--mount", "--propagation", "private");
        await writer.WaitForAsync(50);
        TestHost.Run("umount", Node.Staging);
        await Node.FenceAsync();
        var fenced = Stopwatch.GetTimestamp();
        await writer.WaitForEndOfSuccessAsync();
        Assert.Contains($"{writer.Id} (", (await Assert.ThrowsAsync<StorageException>(Node.LiftAsync)).Message, StringComparison.Ordinal);
        await writer.StopAsync();
        Assert.DoesNotContain(writer.Acknowledged, record => record.Begun > fenced);
        await Node.LiftAsync();
        await Node.StageAsync(fileSystem);
        writer.RequireAllIn(Node.Staging + "/records");
    }

    [Fact]
    public async Task A_fence_outlives_the_silo_and_is_repeated_without_harm()
    {
        await Node.StageAsync("ext4");
        await Node.FenceAsync();
        await Node.FenceAsync();
        await Node.RestartAsync();
        var remembered = Assert.Single(Node.Fenced.All);
        Assert.Equal((FencedNode.Volume, 1, "the test says so"), (remembered.VolumeId, remembered.Generation, remembered.Reason));
        await FencedNode.AssertRefusedAsync(() => Node.StageAsync("ext4"));
        Assert.Contains("the test says so", (await Node.Volumes.GetUsageAsync(Node.Key, Node.Staging, default)).Problem, StringComparison.Ordinal);
        await Node.FenceAsync();

        await Node.LiftAsync();
        await Node.LiftAsync();
        Assert.Empty(Node.Fenced.All);
        await Node.RestartAsync();
        Assert.Empty(Node.Fenced.All);
        await Node.StageAsync("ext4");
    }

    [Fact]
    public async Task A_volume_that_nobody_uses_is_fenced_too()
    {
        await Node.FenceAsync();
        await FencedNode.AssertRefusedAsync(() => Node.StageAsync("ext4"));
        await Node.LiftAsync();
        await Node.StageAsync("ext4");
        await Node.RemoveFromPodsAsync();
        await Node.FenceAsync();
        await FencedNode.AssertRefusedAsync(() => Node.StageAsync("ext4"));

        // What is not on this node is not used on it.
        await Node.FenceAsync(volume: "volume-elsewhere");
    }

    [Fact]
    public async Task Another_generation_is_left_alone()
    {
        await Node.StageAsync("ext4");
        foreach (var generation in new[] { 0L, 2L })
        {
            await FencedNode.AssertRefusedAsync(() => Node.FenceAsync(generation));
            await File.WriteAllTextAsync(Node.Staging + "/data", "written");
            TestHost.Run("sync", "--file-system", Node.Staging);
            await Node.StageAsync("ext4");
        }

        Assert.Empty(Node.Fenced.All);
        await Node.FenceAsync();
        await FencedNode.AssertRefusedAsync(() => Node.Fence.LiftAsync(Node.Key with { Generation = 2 }, default));
        await FencedNode.AssertRefusedAsync(() => Node.StageAsync("ext4"));
    }

    [Fact]
    public async Task A_lift_waits_until_nobody_holds_the_dead_file_system()
    {
        await Node.StageAsync("ext4");
        await Node.PublishAsync("ext4");
        using var held = File.Open(Node.Target + "/held", FileMode.Create);
        await Node.FenceAsync();
        var refusal = await Assert.ThrowsAsync<StorageException>(Node.LiftAsync);
        Assert.Equal(StorageErrorCode.FailedPrecondition, refusal.Code);
        Assert.Contains($"{Environment.ProcessId} (", refusal.Message, StringComparison.Ordinal);
        await FencedNode.AssertRefusedAsync(() => Node.StageAsync("ext4"));
        held.Close();
        await Node.LiftAsync();
        await Node.StageAsync("ext4");
    }

    [Fact]
    public async Task A_fence_waits_for_a_command_that_runs_no_longer_than_it_may_and_cuts_before_that()
    {
        await Node.StageAsync("ext4");
        var command = new TaskCompletionSource();
        Node.Commands.Running = command.Task;
        using var time = new CancellationTokenSource(TimeSpan.FromSeconds(6));
        var failure = await Assert.ThrowsAsync<StorageException>(() => Node.Fence.FenceAsync(Node.Key, "late", time.Token));
        Assert.Equal(StorageErrorCode.Unavailable, failure.Code);
        Assert.ThrowsAny<IOException>(() => File.WriteAllText(Node.Staging + "/data", ""));
        await FencedNode.AssertRefusedAsync(() => Node.StageAsync("ext4"));
        command.SetResult();
        await Node.FenceAsync();
    }

    [Fact]
    public async Task Whichever_of_staging_and_fencing_is_first_nothing_can_be_written_afterwards()
    {
        for (var round = 0; round < 8; round++)
        {
            var staging = Task.Run(() => Node.StageAsync("ext4"));
            await Task.Delay(round * 30);
            await Node.FenceAsync();
            await staging.ContinueWith(_ => { }, TaskScheduler.Default);
            if (Node.Host.Mounts.Paths.Contains(Node.Staging))
                Assert.ThrowsAny<IOException>(() => File.WriteAllText(Node.Staging + "/data", ""));

            Assert.True(Node.Backend.FindDevice(FencedNode.Volume) is not { } device || DeviceCut.IsCut(device));
            await Node.RemoveFromPodsAsync();
            await Node.LiftAsync();
        }

        await Node.StageAsync("ext4");
        await File.WriteAllTextAsync(Node.Staging + "/data", "");
    }
}
