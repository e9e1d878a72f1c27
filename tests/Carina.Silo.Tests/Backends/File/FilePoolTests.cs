using Carina.Grains.Errors;
using Carina.Silo.Backends;
using Carina.Silo.Tests.Linux;

namespace Carina.Silo.Tests.Backends.Files;

/// <summary>The directories of pools: what they promise, and which are refused.</summary>
public sealed class FilePoolTests : FileBackendFixture
{
    [Fact]
    public async Task A_pool_promises_no_more_than_it_has()
    {
        await ScanAsync(Group(capacity: 100 * MiB));
        await CreateAsync(Key(), 64 * MiB);
        await AssertRefusedAsync(StorageErrorCode.ResourceExhausted, PoolCommandKind.Create, Key("volume-b"), 40 * MiB);
        await AssertRefusedAsync(StorageErrorCode.ResourceExhausted, PoolCommandKind.Expand, Key(), 104 * MiB);

        // What one command of a batch takes or gives back, the next one sees.
        var outcomes = await Backend.ExecuteAsync(
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
        var disk = Host.MakeMountedDisk("fs", 512 * MiB);
        var before = await ScanAsync(Group(directory: "fs/pool", capacity: 0));
        Assert.Equal("", before.Problem);
        Assert.InRange(before.SizeBytes, 400 * MiB, 512 * MiB);

        await CreateAsync(Key(), 128 * MiB);
        var device = await Backend.OpenAsync(Key(), default);
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
        var directory = Host.Combine("unsuitable");
        var path = directory;
        switch (kind)
        {
            case "missing-parent":
                path += "/child";
                break;
            case "link":
                Directory.CreateSymbolicLink(directory, Host.MakeDirectory("elsewhere"));
                break;
            case "file":
                Host.MakeFile("unsuitable", 0);
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
                path = Host.Combine("x/../unsuitable");
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
        Host.MakeDirectory("pool/lost+found");
        TestHost.Run("chmod", "755", PoolDirectory);
        Assert.Equal("", (await ScanAsync()).Problem);
        Assert.Equal("700", TestHost.Run("stat", "-c", "%a", PoolDirectory));
    }

    [Fact]
    public async Task Pools_that_would_promise_the_same_space_are_refused()
    {
        var same = await Backend.ScanAsync([Group("one"), Group("two")], default);
        Assert.Equal(["", "two"], same.Select(report => report.Problem.Contains("'two'", StringComparison.Ordinal) ? "two" : report.Problem));

        var shared = await Backend.ScanAsync([Group("one", "a"), Group("two", "b", capacity: 0)], default);
        Assert.Equal("", shared[0].Problem);
        Assert.Contains("share one file system", shared[1].Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Volumes_of_a_directory_that_went_missing_are_not_taken_for_deleted()
    {
        await ScanAsync();
        await CreateAsync(Key(), 64 * MiB);
        Directory.Move(PoolDirectory, Host.Combine("unmounted"));
        await AssertRefusedAsync(StorageErrorCode.FailedPrecondition, PoolCommandKind.Delete, Key());
        await AssertRefusedAsync(StorageErrorCode.FailedPrecondition, PoolCommandKind.Create, Key("volume-b"), 4 * MiB);
        Assert.False(Directory.Exists(PoolDirectory));
        Directory.Move(Host.Combine("unmounted"), PoolDirectory);
        Assert.Single((await ScanAsync()).Volumes);
    }
}
