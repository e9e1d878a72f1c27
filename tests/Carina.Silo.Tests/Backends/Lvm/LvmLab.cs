using System.Text.RegularExpressions;
using Carina.Grains.Agents;
using Carina.Grains.Configuration;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Carina.Silo.Backends;
using Carina.Silo.Backends.Lvm;
using Carina.Silo.Disks;
using Carina.Silo.Lvm;
using Carina.Silo.Nodes;
using Carina.Silo.Tests.Linux;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Carina.Silo.Tests.Backends.Lvm;

/// <summary>
/// A kernel with device-mapper, disks (loop devices), and backends as nodes would have them. Disposal removes mapped
/// devices, loop devices and files, also after a failure.
/// </summary>
public sealed class LvmLab : IAsyncDisposable
{
    public const long MiB = 1 << 20;

    private readonly TestHost _host = new();
    private readonly List<LvmBackend> _backends = [];

    public LvmLab()
    {
        if (!HasDeviceMapper)
            Assert.Skip("This kernel has no device-mapper; tests/lab/uml brings one that has.");
    }

    public static bool HasDeviceMapper => File.Exists("/dev/mapper/control");

    /// <summary>Name of the pool and of its volume group; its hyphen is what device-mapper doubles.</summary>
    public string Pool { get; } = "carina-" + Guid.NewGuid().ToString("N")[..8];

    internal CrashPointLog CrashPoints { get; } = new();

    public string MakeDisk(long mebibytes = 256) => _host.MakeDisk(Guid.NewGuid().ToString("N")[..8], mebibytes * MiB);

    /// <summary>The file behind a disk.</summary>
    public static string FileOf(string disk) => File.ReadAllText($"/sys/block/{Path.GetFileName(disk)}/loop/backing_file").Trim();

    /// <summary>The pool's group in the configuration, selecting these disks.</summary>
    public DiskGroup Group(params string[] disks) => new()
    {
        Name = Pool,
        Policy = PoolPolicy.Lvm,
        Patterns = [.. disks.Select(disk => new Regex($"^{disk}$"))],
        MinDiskBytes = 16 * MiB,
        ReserveBytes = 8 * MiB,
    };

    /// <summary>A node's backend.</summary>
    /// <param name="group">The configuration in force.</param>
    /// <param name="devices">The devices that the node may look at; none means all.</param>
    internal LvmBackend MakeBackend(DiskGroup group, string[]? devices = null, TimeSpan? idle = null, bool wipeBeforeUdev = false)
    {
        var options = Options.Create(new SiloOptions
        {
            NodeName = "node",
            LvmDevices = string.Join(',', (devices ?? []).Select(d => $"^{d}$")),
        });
        var backend = new LvmBackend(
            new LvmOptions
            {
                Directory = _host.Combine("lvm" + _backends.Count),
                IdleTime = idle ?? TimeSpan.FromSeconds(20),
                CommandLimit = TimeSpan.FromSeconds(30),
                WipeBeforeUdev = wipeBeforeUdev,
            },
            new DevicePatterns(options.Value.LvmDevices),
            new DiscoveredBlankDisks(
                new DiskDiscovery(new BlockDeviceScanner(TestHost.Runner), new BlankProbe(TestHost.Runner)),
                new FixedConfig(new CarinaConfig { Groups = [group] }),
                new ConfiguredNodeLabels(options),
                options),
            CrashPoints,
            TimeProvider.System,
            NullLoggerFactory.Instance);
        _backends.Add(backend);
        return backend;
    }

    /// <summary>A backend whose pool has been made of one new disk.</summary>
    internal async Task<LvmBackend> MakePoolAsync(long mebibytes = 256, bool wipeBeforeUdev = false)
    {
        var group = Group(MakeDisk(mebibytes));
        var backend = MakeBackend(group, wipeBeforeUdev: wipeBeforeUdev);
        var report = Assert.Single(await backend.ScanAsync([group], default));
        Assert.Equal("", report.Problem);
        return backend;
    }

    internal PoolCommand Create(string volume, long bytes, long generation = 1) => Command(PoolCommandKind.Create, volume, generation, bytes);

    internal PoolCommand Expand(string volume, long bytes, long generation = 1) => Command(PoolCommandKind.Expand, volume, generation, bytes);

    internal PoolCommand Delete(string volume, long generation = 1) => Command(PoolCommandKind.Delete, volume, generation, 0);

    internal DiskVolumeKey Key(string volume, long generation = 1) => new(volume, Pool, generation);

    /// <summary>Runs a command that must succeed.</summary>
    internal async Task<DiskVolume?> DoAsync(LvmBackend backend, PoolCommand command)
    {
        var outcome = Assert.Single(await backend.ExecuteAsync(Pool, [command], default));
        return outcome.Error is null ? outcome.Volume : throw outcome.Error;
    }

    /// <summary>Runs a command that must fail.</summary>
    internal async Task<StorageException> FailAsync(LvmBackend backend, PoolCommand command)
    {
        var outcome = Assert.Single(await backend.ExecuteAsync(Pool, [command], default));
        Assert.Null(outcome.Volume);
        return outcome.Error ?? throw new Xunit.Sdk.XunitException($"{command} succeeded");
    }

    /// <summary>What lvs, run by hand, has in the pool: names with one column.</summary>
    public Dictionary<string, string> Lvs(string column = "lv_size") => TestHost
        .Run("lvs", "--noheadings", "--units", "b", "--nosuffix", "--separator", "|", "-o", "lv_name," + column, Pool)
        .Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
        .Where(line => line.Contains('|', StringComparison.Ordinal))
        .Select(line => line.Split('|'))
        .ToDictionary(columns => columns[0], columns => columns[1], StringComparer.Ordinal);

    public async ValueTask DisposeAsync()
    {
        foreach (var backend in _backends)
            await backend.DisposeAsync();

        var prefix = Pool.Replace("-", "--", StringComparison.Ordinal) + "-";
        foreach (var name in TestHost.TryRun("dmsetup", "info", "-c", "--noheadings", "-o", "name").Output.Split('\n'))
        {
            if (name.StartsWith(prefix, StringComparison.Ordinal))
                TestHost.TryRun("dmsetup", "remove", "--force", "--retry", name);
        }

        _host.Dispose();
    }

    private PoolCommand Command(PoolCommandKind kind, string volume, long generation, long bytes) =>
        new(kind, new DiskVolumeKey(volume, Pool, generation), bytes);

    private sealed class FixedConfig(CarinaConfig config) : ICarinaConfigSource
    {
        public CarinaConfig Current => config;

        public IDisposable OnChange(Action<CarinaConfig> listener) => throw new NotSupportedException();
    }
}

/// <summary>Keeps the steps that were reached, and can fail at one.</summary>
internal sealed class CrashPointLog : ICrashPoints
{
    private readonly List<string> _reached = [];

    /// <summary>The step at which an exception is thrown, as if the process died there; null for none.</summary>
    public string? DieAt { get; set; }

    /// <summary>Called at each step, with its name and the volume's.</summary>
    public Action<string>? OnReached { get; set; }

    public IReadOnlyList<string> Reached
    {
        get
        {
            lock (_reached)
                return [.. _reached];
        }
    }

    void ICrashPoints.Reached(string point, string volumeId)
    {
        lock (_reached)
            _reached.Add($"{point} {volumeId}");

        OnReached?.Invoke($"{point} {volumeId}");
        if (point == DieAt)
            throw new CrashException();
    }
}

/// <summary>Nobody catches it: what follows does not happen.</summary>
internal sealed class CrashException : Exception;

/// <summary>Tests with mapped devices run one after the other: LVM looks at all disks of the kernel.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class LvmLabCollection
{
    public const string Name = "device-mapper";
}
