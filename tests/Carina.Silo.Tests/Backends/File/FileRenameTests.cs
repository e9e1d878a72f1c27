using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Backends;
using Carina.Silo.Backends.Files;
using Carina.Silo.Copying;
using Carina.Silo.Tests.Backends.Lvm;
using Carina.Silo.Tests.Linux;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carina.Silo.Tests.Backends.Files;

/// <summary>Files get other handles, and are read past their loop devices.</summary>
public sealed class FileRenameTests : FileBackendFixture
{
    private const string Aside = "volume-a.retired-1";

    [Fact]
    public async Task A_volume_is_put_aside_made_anew_and_restored()
    {
        await ScanAsync();
        await CreateAsync(Key(), 8 * MiB);
        await WriteAsync(Key(), 1);
        await Backend.OpenAsync(Key(), default);
        var renamed = await RenameAsync(Key(), Key(Aside));
        Assert.Equal((Key(Aside), 8 * MiB), (renamed.Key, renamed.Bytes));
        Assert.Null(Backend.FindDevice("volume-a"));
        await CreateAsync(Key(generation: 3), 8 * MiB);
        await WriteAsync(Key(generation: 3), 3);

        // Again, as after an answer that was lost.
        await RenameAsync(Key(), Key(Aside));
        Assert.Equal([Key(generation: 3), Key(Aside)], (await ScanAsync()).Volumes.Select(v => v.Key).OrderBy(k => k.VolumeId, StringComparer.Ordinal));
        await RenameAsync(Key(generation: 3), Key("volume-a.retired-3", 3));
        await RenameAsync(Key(Aside), Key(generation: 4));
        Assert.Equal(1, await ReadAsync(Key(generation: 4)));
        Assert.Equal(3, await ReadAsync(Key("volume-a.retired-3", 3)));
    }

    [Theory]
    [InlineData("file.rename.detached")]
    [InlineData("file.rename.named")]
    [InlineData("file.rename.after")]
    public async Task A_renaming_that_was_cut_off_is_finished_by_the_next(string point)
    {
        await ScanAsync();
        await CreateAsync(Key(), 8 * MiB);
        await WriteAsync(Key(), 1);
        var dying = new FileBackend(
            TestHost.Runner, TimeProvider.System, new CrashPointLog { DieAt = point }, NullLogger<FileBackend>.Instance);
        await dying.ScanAsync([Group()], default);
        await Assert.ThrowsAsync<CrashException>(() => RenameAsync(Key(), Key(Aside, 7), dying));
        await RenameAsync(Key(), Key(Aside, 7));
        Assert.Equal(Key(Aside, 7), Assert.Single((await ScanAsync()).Volumes).Key);
        Assert.Equal(1, await ReadAsync(Key(Aside, 7)));
    }

    [Fact]
    public async Task One_that_was_cut_off_between_its_two_names_is_finished_too()
    {
        await ScanAsync();
        await CreateAsync(Key(), 8 * MiB);
        TestHost.Run("ln", PoolDirectory + "/volume-a.img", $"{PoolDirectory}/{Aside}.img");
        await RenameAsync(Key(), Key(Aside));
        Assert.Equal(Key(Aside), Assert.Single((await ScanAsync()).Volumes).Key);
        Assert.False(File.Exists(PoolDirectory + "/volume-a.img"));
    }

    [Fact]
    public async Task What_is_in_use_missing_or_in_the_way_is_left_alone()
    {
        await ScanAsync();
        await CreateAsync(Key(), 8 * MiB);
        await CreateAsync(Key("volume-b"), 8 * MiB);
        Assert.Equal(StorageErrorCode.FailedPrecondition, await RefusedAsync(Key(), Key("volume-b")));
        Assert.Equal(StorageErrorCode.FailedPrecondition, await RefusedAsync(Key(generation: 2), Key(Aside, 2)));
        Assert.Equal(StorageErrorCode.NotFound, await RefusedAsync(Key("volume-c"), Key("volume-c.retired-1")));
        var device = await Backend.OpenAsync(Key(), default);
        await using (File.OpenRead(device.Path))
            Assert.Equal(StorageErrorCode.FailedPrecondition, await RefusedAsync(Key(), Key(Aside)));

        await Backend.CloseAsync("volume-a", default);
        await Assert.ThrowsAsync<StorageException>(async () =>
        {
            await Backend.OpenAsync(Key(), default);
            using var content = await Backend.OpenForWritingAsync(Key(), default);
        });
        await Backend.CloseAsync("volume-a", default);
    }

    private async Task<DiskVolume> RenameAsync(DiskVolumeKey from, DiskVolumeKey to, FileBackend? backend = null)
    {
        var outcome = await TryRenameAsync(from, to, backend);
        return outcome.Error is null ? outcome.Volume! : throw outcome.Error;
    }

    private async Task<StorageErrorCode?> RefusedAsync(DiskVolumeKey from, DiskVolumeKey to) =>
        (await TryRenameAsync(from, to)).Error?.Code;

    private async Task<PoolCommandOutcome> TryRenameAsync(DiskVolumeKey from, DiskVolumeKey to, FileBackend? backend = null) =>
        Assert.Single(await (backend ?? Backend).ExecuteAsync(
            from.Pool, [new PoolCommand(PoolCommandKind.Rename, from, 0) { NewKey = to }], default));

    private async Task WriteAsync(DiskVolumeKey key, byte value)
    {
        using var content = await Backend.OpenForWritingAsync(key, default);
        var buffer = VolumeContent.AllocateBuffer(4096);
        buffer.Span.Fill(value);
        content.Write(4096, buffer.Span);
        content.Flush();
    }

    private async Task<byte> ReadAsync(DiskVolumeKey key)
    {
        using var content = await Backend.OpenForReadingAsync(key, default);
        var buffer = VolumeContent.AllocateBuffer(8192);
        content.Read(0, buffer.Span);
        return buffer.Span[^1];
    }
}
