using Carina.Grains.Agents;
using Carina.Grains.Configuration;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Carina.Silo.Linux;
using Carina.Silo.Mounting;
using Carina.Silo.Processes;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Backends.Files;

/// <summary>
/// FILE pools: a directory, in it one sparse file per volume, behind a loop device while it is in use. For machines
/// without a disk to spare, and for kernels without device-mapper.
/// </summary>
internal sealed partial class FileBackend : IPoolBackend, IFormatMemory
{
    /// <summary>Volumes are multiples of 4 MiB, like LVM's extents.</summary>
    public const long Granularity = 4 << 20;

    private readonly KeyedLock _locks = new();
    private readonly LoopDevices _loops;
    private readonly VolumeLoops _volumeLoops;
    private readonly TimeProvider _clock;
    private readonly ICrashPoints _crash;
    private readonly ILogger<FileBackend> _logger;
    private volatile Dictionary<string, FilePool> _pools = new(StringComparer.Ordinal);
    private volatile IReadOnlyList<FilePool> _configured = [];

    public FileBackend(ICommandRunner runner, TimeProvider clock, ICrashPoints crash, ILogger<FileBackend> logger)
    {
        _loops = new LoopDevices(runner, clock);
        _volumeLoops = new VolumeLoops(_loops);
        _clock = clock;
        _crash = crash;
        _logger = logger;
    }

    public PoolPolicy Policy => PoolPolicy.File;

    public Task<IReadOnlyList<PoolReport>> ScanAsync(
        IReadOnlyList<DiskGroup> groups, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var pools = groups.Where(group => group.Policy == PoolPolicy.File).Select(FilePool.Of).ToList();

        // A pool that left the configuration takes nothing new, but its volumes can still be opened and closed.
        var known = new Dictionary<string, FilePool>(_pools, StringComparer.Ordinal);
        foreach (var pool in pools)
            known[pool.Name] = pool;

        _pools = known;
        _configured = pools;
        return Task.Run<IReadOnlyList<PoolReport>>(
            () =>
            {
                using var view = FilePoolView.Open(pools, make: true, LogForeign);
                return [.. pools.Select(view.Report)];
            },
            cancellationToken);
    }

    public async Task<IReadOnlyList<PoolCommandOutcome>> ExecuteAsync(
        string pool, IReadOnlyList<PoolCommand> commands, CancellationToken cancellationToken)
    {
        var outcomes = new List<PoolCommandOutcome>(commands.Count);
        var room = new Lazy<FileRoom>(() => MeasureRoom(pool), LazyThreadSafetyMode.None);
        foreach (var command in commands)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using (await _locks.AcquireAsync(command.Key.VolumeId, cancellationToken).ConfigureAwait(false))
            {
                outcomes.Add(await ExecuteAsync(pool, command, room, cancellationToken).ConfigureAwait(false));
            }
        }

        return outcomes;
    }

    public async Task<VolumeDevice> OpenAsync(DiskVolumeKey key, CancellationToken cancellationToken)
    {
        using var held = await _locks.AcquireAsync(key.VolumeId, cancellationToken).ConfigureAwait(false);
        using var file = DemandVolume(key);
        var loop = VolumeLoops.FindAll(file).FirstOrDefault(LoopDevices.IsPlain);
        if (loop is null)
        {
            loop = await _loops.AttachAsync(Demand(key.Pool).PathOf(key.VolumeId), file.Identity, cancellationToken).ConfigureAwait(false);

            // The kernel keeps this setting from whatever the loop device was attached to before.
            DeviceTuning.SetReadAhead(Describe(loop), DeviceTuning.DefaultReadAheadKiB);
        }
        else if (BlockDeviceNode.BytesOf(loop.Number) != file.Status.Bytes)
        {
            await _loops.RefreshAsync(loop, cancellationToken).ConfigureAwait(false);
        }

        return Describe(loop);
    }

    public async Task CloseAsync(string volumeId, CancellationToken cancellationToken)
    {
        using var held = await _locks.AcquireAsync(volumeId, cancellationToken).ConfigureAwait(false);
        while (_volumeLoops.Find(volumeId, _pools.Values) is { } found)
            await _volumeLoops.DetachAsync(found.Loop, found.File, cancellationToken).ConfigureAwait(false);
    }

    public Task<bool> WasFormattedAsync(DiskVolumeKey key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var file = DemandVolume(key);
        return Task.FromResult(file.WasFormatted);
    }

    public async Task RememberFormattedAsync(DiskVolumeKey key, CancellationToken cancellationToken)
    {
        using var held = await _locks.AcquireAsync(key.VolumeId, cancellationToken).ConfigureAwait(false);
        using var file = DemandVolume(key);
        file.RememberFormatted();
    }

    public VolumeDevice? FindDevice(string volumeId) =>
        _volumeLoops.Find(volumeId, _pools.Values) is { } found ? Describe(found.Loop) : null;

    private async Task<PoolCommandOutcome> ExecuteAsync(
        string poolName, PoolCommand command, Lazy<FileRoom> room, CancellationToken cancellationToken)
    {
        try
        {
            var pool = Demand(poolName);
            using var directory = pool.OpenDirectory();
            using var file = OpenVolume(directory, command.Key, writable: command.Kind == PoolCommandKind.Expand);
            DiskVolume? volume = command.Kind switch
            {
                PoolCommandKind.Create => Create(pool, command, directory, file, room),
                PoolCommandKind.Expand => await ExpandAsync(pool, command, file, room, cancellationToken).ConfigureAwait(false),
                PoolCommandKind.Delete => await DeleteAsync(command, directory, file, room, cancellationToken).ConfigureAwait(false),
                PoolCommandKind.Rename => await RenameAsync(pool, command, directory, file, cancellationToken).ConfigureAwait(false),
                PoolCommandKind.Adopt => throw new StorageException(
                    StorageErrorCode.FailedPrecondition, "Carina up to 0.14 had no pools of files; there is nothing to take over in one."),
                _ => throw new StorageException(StorageErrorCode.InvalidArgument, $"Unknown command {command.Kind}."),
            };
            return new PoolCommandOutcome(volume, null);
        }
        catch (StorageException e)
        {
            return new PoolCommandOutcome(null, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new PoolCommandOutcome(
                null, new StorageException(StorageErrorCode.Internal, $"{command.Kind} of {command.Key.VolumeId} failed: {e.Message}", e));
        }
    }

    private DiskVolume Create(
        FilePool pool, PoolCommand command, SafeFileHandle directory, VolumeFile? existing, Lazy<FileRoom> room)
    {
        if (existing is null)
        {
            var bytes = RoundUp(command.Bytes);
            room.Value.Demand(bytes, $"make volume {command.Key.VolumeId} of {bytes} bytes");
            _crash.Reached("file.create.before", command.Key.VolumeId);
            VolumeFile.Create(directory, command.Key, bytes);
            _crash.Reached("file.create.after", command.Key.VolumeId);
            room.Value.Take(bytes);
            LogCreated(_logger, command.Key.VolumeId, command.Key.Generation, bytes, pool.Name);
            return new DiskVolume { Key = command.Key, Bytes = bytes, DevicePath = pool.PathOf(command.Key.VolumeId) };
        }

        DemandGeneration(existing, command.Key);
        return existing.Status.Bytes >= command.Bytes
            ? Describe(pool, existing)
            : throw new StorageException(
                StorageErrorCode.AlreadyExists,
                $"Volume {command.Key.VolumeId} exists with {existing.Status.Bytes} bytes; {command.Bytes} were asked for.");
    }

    private async Task<DiskVolume> ExpandAsync(
        FilePool pool, PoolCommand command, VolumeFile? file, Lazy<FileRoom> room, CancellationToken cancellationToken)
    {
        if (file is null)
            throw new StorageException(StorageErrorCode.NotFound, $"Volume {command.Key.VolumeId} is not in pool '{pool.Name}'.");

        DemandGeneration(file, command.Key);
        var bytes = RoundUp(command.Bytes);
        var growth = bytes - file.Status.Bytes;
        if (growth > 0)
        {
            room.Value.Demand(growth, $"grow volume {command.Key.VolumeId} to {bytes} bytes");
            file.Grow(bytes);
            _crash.Reached("file.expand.grown", command.Key.VolumeId);
            room.Value.Take(growth);
            LogGrown(_logger, command.Key.VolumeId, bytes, pool.Name);
        }

        foreach (var loop in VolumeLoops.FindAll(file).Where(LoopDevices.IsPlain))
            await _loops.RefreshAsync(loop, cancellationToken).ConfigureAwait(false);

        return Describe(pool, file);
    }

    private async Task<DiskVolume?> DeleteAsync(
        PoolCommand command,
        SafeFileHandle directory,
        VolumeFile? file,
        Lazy<FileRoom> room,
        CancellationToken cancellationToken)
    {
        if (file is null)
            return null;

        DemandGeneration(file, command.Key);
        foreach (var loop in VolumeLoops.FindAll(file))
            await _volumeLoops.DetachAsync(loop, file.Identity, cancellationToken).ConfigureAwait(false);

        _crash.Reached("file.delete.detached", command.Key.VolumeId);
        LinuxFile.RemoveFile(directory, VolumeFile.NameOf(command.Key.VolumeId));
        LinuxFile.Flush(directory);
        _crash.Reached("file.delete.removed", command.Key.VolumeId);
        if (room.IsValueCreated)
            room.Value.Take(-file.Status.Bytes);

        LogDeleted(_logger, command.Key.VolumeId, command.Key.Generation);
        return null;
    }

    // Measured anew for each batch: nothing is remembered that the disk could contradict.
    private FileRoom MeasureRoom(string poolName)
    {
        var pool = Demand(poolName);
        using var view = FilePoolView.Open(_configured, make: false, (_, _) => { });
        return new FileRoom(pool, view.FreeBytes(pool));
    }

    private FilePool Demand(string name) =>
        _pools.TryGetValue(name, out var pool)
            ? pool
            : throw new StorageException(
                StorageErrorCode.Unavailable, $"The FILE pool '{name}' has not been found on this node (yet); is its group configured?");

    private VolumeFile DemandVolume(DiskVolumeKey key)
    {
        var pool = Demand(key.Pool);
        using var directory = pool.OpenDirectory();
        var file = OpenVolume(directory, key)
            ?? throw new StorageException(
                StorageErrorCode.NotFound, $"Volume {key.VolumeId} is not in pool '{pool.Name}' ({pool.Directory}) of this node.");
        try
        {
            DemandGeneration(file, key);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static VolumeFile? OpenVolume(
        SafeFileHandle directory, DiskVolumeKey key, bool writable = false) =>
        VolumeIds.IsWellFormed(key.VolumeId)
            ? VolumeFile.TryOpen(directory, VolumeFile.NameOf(key.VolumeId), key.VolumeId, writable)
            : throw new StorageException(StorageErrorCode.InvalidArgument, $"'{key.VolumeId}' is not a volume's handle.");

    private static void DemandGeneration(VolumeFile file, DiskVolumeKey key)
    {
        if (file.Generation != key.Generation)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"The disk holds generation {file.Generation} of volume {key.VolumeId}, not {key.Generation}; it is left alone.");
        }
    }

    private static DiskVolume Describe(FilePool pool, VolumeFile file) =>
        FilePoolView.Describe(pool, file.Info, VolumeLoops.FindAll(file).FirstOrDefault());

    private static VolumeDevice Describe(LoopDevice loop) =>
        new(loop.Path, loop.Number.Major, loop.Number.Minor, BlockDeviceNode.BytesOf(loop.Number));

    private static long RoundUp(long bytes) =>
        bytes > 0
            ? checked((bytes + Granularity - 1) / Granularity * Granularity)
            : throw new StorageException(StorageErrorCode.InvalidArgument, "A volume's size must be positive.");

    private void LogForeign(string file, string reason) => LogForeignFile(_logger, file, reason);
}
