using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Fencing;
using Carina.Silo.Linux;

namespace Carina.Silo.Tests.Fencing.Guard;

/// <summary>Silo and guard process write the same file.</summary>
public sealed class SharedFenceFileTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("carina-fenced-");
    private readonly FencedVolumes _silo;
    private readonly FencedVolumes _guard;

    public SharedFenceFileTests()
    {
        _silo = new FencedVolumes(FilePath, TimeProvider.System);
        _guard = new FencedVolumes(FilePath, TimeProvider.System, ".guard");
    }

    private string FilePath => Path.Combine(_directory.FullName, "fenced/a.json");

    private static DiskVolumeKey A => new("volume-a", "pool", 1);

    private static DiskVolumeKey B => new("volume-b", "pool", 1);

    [Fact]
    public async Task What_one_writes_the_other_refuses_at_once()
    {
        Assert.Null(_silo.FindRefusal(A));
        _guard.Add(A, "in its place");
        Assert.Null(_silo.FindRefusal(A));
        await _guard.SaveAsync(default);
        Assert.Contains("in its place", _silo.FindRefusal(A)!.Message, StringComparison.Ordinal);
        Assert.True(_silo.IsWritten(A));

        // That it is refused does not say that the device is cut off.
        Assert.Empty(_silo.Confirmed);
    }

    [Fact]
    public async Task Neither_forgets_what_the_other_wrote()
    {
        _silo.Add(A, "a");
        _guard.Add(B, "b");
        await Task.WhenAll(_silo.SaveAsync(default), _guard.SaveAsync(default));
        Assert.Equal(["volume-a", "volume-b"], Known(new FencedVolumes(FilePath, TimeProvider.System)));
        Assert.Equal(["volume-a", "volume-b"], Known(_silo));

        _silo.Remove(A);
        await _silo.SaveAsync(default);
        Assert.Equal(["volume-b"], Known(_guard));
        _guard.Add(A with { Generation = 2 }, "a");
        await _guard.SaveAsync(default);
        Assert.Equal(2, _silo.Find("volume-a")!.Generation);
    }

    [Fact]
    public async Task Many_writes_at_once_lose_none()
    {
        var keys = Enumerable.Range(0, 40).Select(i => A with { VolumeId = $"volume-{i:D2}" }).ToList();
        await Task.WhenAll(keys.Select((key, i) =>
        {
            var writer = i % 2 == 0 ? _silo : _guard;
            writer.Add(key, "all");
            return writer.SaveAsync(default);
        }));
        Assert.Equal(keys.Select(key => key.VolumeId), Known(new FencedVolumes(FilePath, TimeProvider.System)));
    }

    [Fact]
    public async Task A_fence_of_this_process_wins_over_an_older_generation_and_a_newer_one_over_it()
    {
        _guard.Add(A with { Generation = 3 }, "newer");
        await _guard.SaveAsync(default);
        _silo.Add(A, "older");
        Assert.Equal(3, _silo.Find("volume-a")!.Generation);

        // What was removed is fenced anew by the other, before that was written.
        _silo.Remove(A with { Generation = 3 });
        _guard.Add(A with { Generation = 4 }, "anew");
        await _guard.SaveAsync(default);
        await _silo.SaveAsync(default);
        Assert.Equal(4, _guard.Find("volume-a")!.Generation);
    }

    [Fact]
    public async Task A_process_that_is_stopped_while_it_holds_the_lock_holds_no_fence_up()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(FilePath)!);
        using var held = await FileLock.TryAcquireAsync(FilePath + ".lock", TimeSpan.Zero, TimeProvider.System, default);
        Assert.NotNull(held);
        Assert.Null(await FileLock.TryAcquireAsync(FilePath + ".lock", TimeSpan.FromMilliseconds(50), TimeProvider.System, default));
        _guard.Add(A, "a");
        await _guard.SaveAsync(default).WaitAsync(TimeSpan.FromSeconds(10));
        Assert.True(_guard.IsWritten(A));

        // It goes on with what it had in mind, and the guard finds out.
        await File.WriteAllTextAsync(FilePath + ".old", "[]");
        File.Move(FilePath + ".old", FilePath, overwrite: true);
        Assert.False(_guard.IsWritten(A));
        held.Dispose();
        _guard.Add(A, "a");
        await _guard.SaveAsync(default);
        Assert.NotNull(_silo.FindRefusal(A));
    }

    [Fact]
    public async Task A_file_that_is_damaged_meanwhile_refuses_everything_and_is_not_overwritten()
    {
        _silo.Add(A, "a");
        await _silo.SaveAsync(default);
        await File.WriteAllTextAsync(FilePath, "[{");
        Assert.Contains("cannot be read", _silo.FindRefusal(B)!.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<StorageException>(() => _silo.SaveAsync(default));
        Assert.Equal("[{", await File.ReadAllTextAsync(FilePath));
    }

    public void Dispose() => _directory.Delete(recursive: true);

    private static IEnumerable<string> Known(FencedVolumes volumes) => volumes.All.Select(volume => volume.VolumeId).Order();
}
