using Carina.Grains.Agents;
using Carina.Grains.Configuration;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Carina.Silo.Backends;
using Carina.Silo.Backends.Files;
using Carina.Silo.Tests.Linux;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carina.Silo.Tests.Backends.Files;

/// <summary>A backend over a directory of the test, and what its tests say often.</summary>
public abstract class FileBackendFixture : IDisposable
{
    protected const long MiB = 1 << 20;
    private protected TestHost Host { get; } = new();
    private protected FileBackend Backend { get; } = NewBackend();

    public void Dispose()
    {
        Host.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected static FileBackend NewBackend() =>
        new(TestHost.Runner, TimeProvider.System, new NoCrashPoints(), NullLogger<FileBackend>.Instance);

    private protected string PoolDirectory => Host.Combine("pool");

    private protected DiskGroup Group(string name = "carina-file", string directory = "pool", long capacity = 1024 * MiB) => new()
    {
        Name = name,
        Policy = PoolPolicy.File,
        Directory = Host.Combine(directory),
        CapacityBytes = capacity,
        ReserveBytes = 0,
    };

    private protected static DiskVolumeKey Key(string id = "volume-a", long generation = 1) => new(id, "carina-file", generation);

    private protected async Task<PoolReport> ScanAsync(DiskGroup? group = null) =>
        Assert.Single(await Backend.ScanAsync([group ?? Group()], default));

    private protected async Task<PoolCommandOutcome> DoAsync(PoolCommandKind kind, DiskVolumeKey key, long bytes = 0, FileBackend? backend = null) =>
        Assert.Single(await (backend ?? Backend).ExecuteAsync(key.Pool, [new PoolCommand(kind, key, bytes)], default));

    private protected async Task<DiskVolume> CreateAsync(DiskVolumeKey key, long bytes)
    {
        var outcome = await DoAsync(PoolCommandKind.Create, key, bytes);
        Assert.Null(outcome.Error);
        return outcome.Volume!;
    }

    private protected async Task AssertRefusedAsync(StorageErrorCode code, PoolCommandKind kind, DiskVolumeKey key, long bytes = 0)
    {
        var outcome = await DoAsync(kind, key, bytes);
        Assert.Null(outcome.Volume);
        Assert.Equal(code, outcome.Error?.Code);
    }
}
