using System.Text.RegularExpressions;
using Carina.Grains.Agents;
using Carina.Grains.Configuration;
using Carina.Grains.Volumes;
using Carina.Harness.Disks;
using Carina.Silo.Backends;
using Carina.Silo.Backends.Lvm;
using Carina.Silo.Lvm;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carina.Benchmarks.Create;

/// <summary>The LVM backend without anything around it, on a volume group of its own.</summary>
internal sealed class DirectBackend : IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("carina-benchmark-").FullName;
    private readonly string _group = "benchmark-" + Guid.NewGuid().ToString("N")[..8];
    private LoopDisk? _disk;
    private LvmBackend? _backend;

    public static async Task<DirectBackend> OpenAsync(long diskBytes, CancellationToken cancellationToken)
    {
        var direct = new DirectBackend();
        try
        {
            await direct.PrepareAsync(diskBytes, cancellationToken);
            return direct;
        }
        catch
        {
            await direct.DisposeAsync();
            throw;
        }
    }

    public Task CreateAsync(int count, long bytes) => ExecuteAsync(PoolCommandKind.Create, count, bytes);

    public Task DeleteAsync(int count) => ExecuteAsync(PoolCommandKind.Delete, count, 0);

    public async ValueTask DisposeAsync()
    {
        if (_backend is not null)
            await _backend.DisposeAsync();

        if (_disk is not null)
        {
            await Harness.Processes.Command.RunAsync("vgremove", ["-qff", _group], CancellationToken.None);
            await _disk.RemoveAsync(CancellationToken.None);
        }

        Directory.Delete(_directory, recursive: true);
    }

    private async Task PrepareAsync(long diskBytes, CancellationToken cancellationToken)
    {
        _disk = await LoopDisk.CreateAsync(Path.Combine(_directory, "disk"), diskBytes, cancellationToken);
        _backend = new LvmBackend(
            new LvmOptions { Directory = Path.Combine(_directory, "lvm") },
            new DevicePatterns($"^{_disk.Device}$"),
            new OneDisk(_disk.Device, _group),
            new NoCrashPoints(),
            TimeProvider.System,
            NullLoggerFactory.Instance);
        var report = (await _backend.ScanAsync(
            [new DiskGroup { Name = _group, Policy = PoolPolicy.Lvm, Patterns = [new Regex($"^{_disk.Device}$")] }], cancellationToken))[0];
        if (report.Problem.Length > 0)
            throw new InvalidOperationException(report.Problem);
    }

    private async Task ExecuteAsync(PoolCommandKind kind, int count, long bytes)
    {
        var commands = Enumerable.Range(0, count)
            .Select(i => new PoolCommand(kind, new DiskVolumeKey($"volume-pvc-{i}", _group, 1), bytes))
            .ToList();
        foreach (var outcome in await _backend!.ExecuteAsync(_group, commands, CancellationToken.None))
        {
            if (outcome.Error is not null)
                throw outcome.Error;
        }
    }

    /// <summary>The benchmark has made the disk, and so knows that it is blank.</summary>
    private sealed class OneDisk(string device, string group) : IBlankDisks
    {
        public Task<IReadOnlyList<CandidateDisk>> FindAsync(CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<CandidateDisk>>([new CandidateDisk(device, group, "")]);
    }
}
