using System.Collections.Concurrent;
using Carina.Grains.Agents;
using Carina.Grains.Configuration;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Carina.Silo.Lvm;

namespace Carina.Silo.Backends.Lvm;

/// <summary>Pools that are volume groups, volumes that are linear logical volumes in them.</summary>
internal sealed partial class LvmBackend : IPoolBackend, IFormatMemory, IAsyncDisposable
{
    /// <summary>Extent size that LVM gives a new volume group.</summary>
    private const long DefaultExtentBytes = 4 << 20;

    private readonly ConcurrentDictionary<string, LvmPool> _pools = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _scanning = new(1, 1);
    private readonly DevicePatterns _allowed;
    private readonly LvmSession _scanSession;
    private readonly GroupScanner _scanner;
    private readonly LvmOptions _options;
    private readonly ICrashPoints _crash;
    private readonly TimeProvider _clock;
    private readonly ILoggerFactory _loggers;

    public LvmBackend(
        LvmOptions options,
        DevicePatterns allowed,
        IBlankDisks blankDisks,
        ICrashPoints crash,
        TimeProvider clock,
        ILoggerFactory loggers)
    {
        (_options, _allowed, _crash, _clock, _loggers) = (options, allowed, crash, clock, loggers);
        _scanSession = OpenSession("all pools", "scan", allowed.Restrict);
        _scanner = new GroupScanner(_scanSession, allowed, blankDisks, loggers.CreateLogger<GroupScanner>());
    }

    public PoolPolicy Policy => PoolPolicy.Lvm;

    /// <summary>The lvm processes that run now.</summary>
    internal IReadOnlyList<int> ProcessIds =>
        [.. _pools.Values.Select(p => p.ProcessId).Append(_scanSession.ProcessId).OfType<int>()];

    public async Task<IReadOnlyList<PoolReport>> ScanAsync(
        IReadOnlyList<DiskGroup> groups, CancellationToken cancellationToken)
    {
        await _scanning.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            foreach (var gone in _pools.Keys.Except(groups.Select(g => g.Name), StringComparer.Ordinal))
                await DropAsync(gone).ConfigureAwait(false);

            if (groups.Count == 0)
                return [];

            var found = await _scanner.ScanAsync(groups, ChangeAsync, cancellationToken).ConfigureAwait(false);
            var reports = new List<PoolReport>(found.Count);
            foreach (var group in found)
                reports.Add(await TakeInAsync(group).ConfigureAwait(false));

            return reports;
        }
        catch (LvmException exception)
        {
            throw LvmFailure.Explain(exception, "look at this node's volume groups");
        }
        finally
        {
            _scanning.Release();
        }
    }

    public Task<IReadOnlyList<PoolCommandOutcome>> ExecuteAsync(
        string pool, IReadOnlyList<PoolCommand> commands, CancellationToken cancellationToken) =>
        Require(pool).ExecuteAsync(commands, cancellationToken);

    public Task<VolumeDevice> OpenAsync(DiskVolumeKey key, CancellationToken cancellationToken) =>
        Require(key.Pool).OpenAsync(key, cancellationToken);

    public Task<bool> WasFormattedAsync(DiskVolumeKey key, CancellationToken cancellationToken) =>
        Require(key.Pool).WasFormattedAsync(key, cancellationToken);

    public Task RememberFormattedAsync(DiskVolumeKey key, CancellationToken cancellationToken) =>
        Require(key.Pool).RememberFormattedAsync(key, cancellationToken);

    public async Task CloseAsync(string volumeId, CancellationToken cancellationToken)
    {
        foreach (var pool in _pools.Values)
            await pool.CloseAsync(volumeId, cancellationToken).ConfigureAwait(false);
    }

    public VolumeDevice? FindDevice(string volumeId)
    {
        var pools = _pools.Values;
        return pools.Select(pool => DeviceMapper.FindByNode(pool.GroupName, pool.GroupUuid, volumeId)).FirstOrDefault(d => d is not null)
            ?? DeviceMapper.FindAnywhere(volumeId, (group, uuid, devices) =>
                pools.Any(p => p.GroupName == group && uuid.StartsWith(DeviceMapper.UuidPrefix(p.GroupUuid), StringComparison.Ordinal))

                // Before the first scan: any group's, if it is on devices of this node.
                || (pools.Count == 0 && devices.All(_allowed.Allows)));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var pool in _pools.Keys)
            await DropAsync(pool).ConfigureAwait(false);

        await _scanSession.DisposeAsync().ConfigureAwait(false);
        _scanSession.Configuration.Remove();
        _scanning.Dispose();
    }

    private LvmPool Require(string pool) => _pools.TryGetValue(pool, out var found)
        ? found
        : throw new StorageException(
            StorageErrorCode.FailedPrecondition, $"This node has no volume group for pool '{pool}'.");

    /// <summary>Changes a volume group while its pool rests, and shows the pool's session the group's disks after it.</summary>
    private async Task ChangeAsync(string pool, Func<Task> change)
    {
        if (!_pools.TryGetValue(pool, out var affected))
        {
            await change().ConfigureAwait(false);
            return;
        }

        await affected.Gate.WaitAsync().ConfigureAwait(false);
        try
        {
            await change().ConfigureAwait(false);
            await affected.FindDisksAsync().ConfigureAwait(false);
        }
        finally
        {
            affected.Gate.Release();
        }
    }

    private async Task<PoolReport> TakeInAsync(FoundGroup found)
    {
        var name = found.Group.Name;
        if (found.Volumes is not { } group)
        {
            // Not dropped: its volumes may be mounted, and their devices are found by its name.
            return Report(found, 0, DefaultExtentBytes, 0, []);
        }

        if (_pools.TryGetValue(name, out var present) && present.GroupName != group.Name)
            await DropAsync(name).ConfigureAwait(false);

        var disks = _scanner.PathsOf(found.Disks);
        var pool = _pools.GetOrAdd(name, _ => new LvmPool(
            name, group, disks, OpenSession(name, "pool-" + name, restricted: true), _options, _scanner.FindDisksAsync, _crash,
            _clock, _loggers.CreateLogger<LvmPool>()));
        var volumes = found.Logical.Select(pool.Describe).OfType<DiskVolume>().ToList();
        pool.Update(group, disks, volumes, found.Logical);

        // Free extents that nothing may be put on are as good as taken.
        var unusable = found.Disks.Where(d => d.Attributes.Missing || d.Attributes.Use != PvUse.Allocatable).Sum(d => d.FreeBytes);
        var foreign = group.SizeBytes - group.FreeBytes - volumes.Sum(v => v.Bytes) + unusable;
        return Report(found, group.SizeBytes, group.ExtentBytes, foreign, volumes) with
        {
            Unclaimed = [.. found.Logical.Where(LvmIdentity.MayBeLegacy).Select(pool.DescribeUnclaimed)],
            VolumeGroup = new VolumeGroupReport
            {
                Name = group.Name,
                Attributes = group.Attributes.Text,
                ForeignVolumes = found.Logical.Count - volumes.Count,
                Disks =
                [
                    .. found.Disks.OrderBy(d => d.Name, StringComparer.Ordinal).Select(d => new PhysicalVolumeReport(
                        _scanner.PathsOf([d]) is [var path] ? path : d.Name, d.Format, d.Attributes.Text, d.SizeBytes, d.FreeBytes)),
                ],
            },
        };
    }

    private static PoolReport Report(FoundGroup found, long size, long extent, long foreign, List<DiskVolume> volumes) => new()
    {
        Name = found.Group.Name,
        Policy = PoolPolicy.Lvm,
        SizeBytes = size,
        ForeignBytes = foreign,
        ReserveBytes = found.Group.ReserveBytes,
        GranularityBytes = extent,
        Volumes = volumes,
        Problem = found.Problem,
    };

    private async Task DropAsync(string pool)
    {
        if (_pools.TryRemove(pool, out var dropped))
            await dropped.DisposeAsync().ConfigureAwait(false);
    }

    private LvmSession OpenSession(string name, string directory, bool restricted) => new(
        name,
        new LvmConfiguration(Path.Combine(_options.Directory, directory), restricted),
        _options,
        _clock,
        _loggers.CreateLogger<LvmSession>());
}
