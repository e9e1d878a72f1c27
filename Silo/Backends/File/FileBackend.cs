using System.Collections.Immutable;
using Carina.Grains.Agents;
using Carina.Grains.Configuration;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;

namespace Carina.Silo.Backends.File;

/// <summary>
/// Pools of policy FILE: a directory with one sparse file per volume, each behind a loop device while it is in use.
/// </summary>
internal sealed class FileBackend(LoopDevices loops, ICrashPoints crash) : IPoolBackend
{
    private ImmutableDictionary<string, DiskGroup> _groups = ImmutableDictionary<string, DiskGroup>.Empty;

    public PoolPolicy Policy => PoolPolicy.File;

    public Task<IReadOnlyList<PoolReport>> ScanAsync(
        IReadOnlyList<DiskGroup> groups, CancellationToken cancellationToken)
    {
        _groups = groups.ToImmutableDictionary(g => g.Name, StringComparer.Ordinal);
        return Task.FromResult<IReadOnlyList<PoolReport>>([.. groups.Select(Report)]);
    }

    public async Task<IReadOnlyList<PoolCommandOutcome>> ExecuteAsync(
        string pool, IReadOnlyList<PoolCommand> commands, CancellationToken cancellationToken)
    {
        var outcomes = new List<PoolCommandOutcome>(commands.Count);
        foreach (var command in commands)
        {
            try
            {
                cancellationToken.ThrowIfCancellationRequested();
                outcomes.Add(new(await ExecuteAsync(command, cancellationToken), null));
            }
            catch (StorageException exception)
            {
                outcomes.Add(new(null, exception));
            }
        }

        return outcomes;
    }

    public async Task<VolumeDevice> OpenAsync(DiskVolumeKey key, CancellationToken cancellationToken)
    {
        using var directory = PoolDirectory.Open(Group(key.Pool));
        var file = RequireOurs(directory, key);
        if (LoopDevices.Find(file.Path, file.Inode) is null)
        {
            await loops.AttachAsync(file.Path, cancellationToken);
        }

        var device = RequireDevice(file);
        if (device.Bytes != file.Bytes)
        {
            // An expansion was cut off between file and device.
            LoopDevices.RefreshSize(device);
            device = RequireDevice(file);
        }

        return device;
    }

    public async Task CloseAsync(string volumeId, CancellationToken cancellationToken)
    {
        if (FindFile(volumeId) is { } file
            && LoopDevices.Find(file.Path, file.Inode) is { } device
            && !await loops.DetachAsync(device, file.Path, file.Inode, cancellationToken))
        {
            throw InUse(file, device);
        }
    }

    public VolumeDevice? FindDevice(string volumeId) =>
        FindFile(volumeId) is { } file ? LoopDevices.Find(file.Path, file.Inode) : null;

    private static VolumeDevice RequireDevice(VolumeFile file) =>
        LoopDevices.Find(file.Path, file.Inode) ?? throw new StorageException(
            StorageErrorCode.Internal, $"{file.Path} has no loop device although one was just attached; was it detached by hand? Try again.");

    private static StorageException InUse(VolumeFile file, VolumeDevice device) => new(
        StorageErrorCode.FailedPrecondition,
        $"Volume '{file.VolumeId}' is in use: its device {device.Path} is still open. Unmount it first.");

    private static DiskVolume ToVolume(VolumeFile file, string pool) => new()
    {
        Key = new DiskVolumeKey(file.VolumeId, pool, file.Generation),
        Bytes = file.Bytes,
        DevicePath = file.Path,
    };

    private async Task<DiskVolume?> ExecuteAsync(PoolCommand command, CancellationToken cancellationToken)
    {
        using var directory = PoolDirectory.Open(Group(command.Key.Pool));
        return command.Kind switch
        {
            PoolCommandKind.Create => Create(directory, command.Key, command.Bytes),
            PoolCommandKind.Expand => Expand(directory, command.Key, command.Bytes),
            PoolCommandKind.Delete => await DeleteAsync(directory, command.Key, cancellationToken),
            _ => throw new ArgumentOutOfRangeException(nameof(command)),
        };
    }

    private DiskVolume Create(PoolDirectory directory, DiskVolumeKey key, long bytes)
    {
        var existing = VolumeFile.Find(directory.Handle, key.VolumeId);
        if (existing is not null)
        {
            Identify(existing, key);
            return existing.Bytes >= bytes
                ? ToVolume(existing, key.Pool)
                : throw new StorageException(
                    StorageErrorCode.AlreadyExists,
                    $"Volume '{key.VolumeId}' exists with {existing.Bytes} bytes; {bytes} were asked for.");
        }

        RequireRoom(directory, key, bytes);
        VolumeFile.Create(directory.Handle, key, bytes, crash);
        return ToVolume(RequireOurs(directory, key), key.Pool);
    }

    private DiskVolume Expand(PoolDirectory directory, DiskVolumeKey key, long bytes)
    {
        var file = RequireOurs(directory, key);
        if (file.Bytes < bytes)
        {
            RequireRoom(directory, key, bytes - file.Bytes);
            file.Grow(directory.Handle, bytes);
            crash.Reached("file.expand.grown", key.VolumeId);
            file = RequireOurs(directory, key);
        }

        if (LoopDevices.Find(file.Path, file.Inode) is { } device && device.Bytes != file.Bytes)
        {
            LoopDevices.RefreshSize(device);
            crash.Reached("file.expand.refreshed", key.VolumeId);
        }

        return ToVolume(file, key.Pool);
    }

    private async Task<DiskVolume?> DeleteAsync(
        PoolDirectory directory, DiskVolumeKey key, CancellationToken cancellationToken)
    {
        var file = VolumeFile.Find(directory.Handle, key.VolumeId);
        if (file is null)
        {
            return null;
        }

        Identify(file, key);
        if (LoopDevices.Find(file.Path, file.Inode) is { } device
            && !await loops.DetachAsync(device, file.Path, file.Inode, cancellationToken))
        {
            throw InUse(file, device);
        }

        crash.Reached("file.delete.detached", key.VolumeId);
        file.Remove(directory.Handle);
        crash.Reached("file.delete.removed", key.VolumeId);
        return null;
    }

    private static VolumeFile RequireOurs(PoolDirectory directory, DiskVolumeKey key)
    {
        var file = VolumeFile.Find(directory.Handle, key.VolumeId) ?? throw new StorageException(
            StorageErrorCode.NotFound, $"Pool '{key.Pool}' has no file for volume '{key.VolumeId}'.");
        Identify(file, key);
        return file;
    }

    /// <summary>The identity check before anything is done to a file.</summary>
    private static void Identify(VolumeFile file, DiskVolumeKey key)
    {
        if (file.VolumeId != key.VolumeId)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"{file.Path} is not marked as the file of volume '{key.VolumeId}'; it is left alone. Move it away if it is not needed.");
        }

        if (file.Generation != key.Generation)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"{file.Path} is generation {file.Generation} of volume '{key.VolumeId}', the request is for generation {key.Generation}; it is left alone.");
        }
    }

    /// <summary>The second guard behind the ledger: what is promised must fit what the file system has, reserve aside.</summary>
    private void RequireRoom(PoolDirectory directory, DiskVolumeKey key, long more)
    {
        var volumes = directory.Volumes();
        var space = directory.Measure(volumes);
        var room = space.Size - space.Foreign - volumes.Sum(v => v.Bytes);
        if (more > room)
        {
            throw new StorageException(
                StorageErrorCode.ResourceExhausted,
                $"Pool '{key.Pool}' ({Group(key.Pool).Directory}) has {Math.Max(0, room)} bytes left; volume '{key.VolumeId}' needs {more}.");
        }
    }

    private PoolReport Report(DiskGroup group)
    {
        var empty = new PoolReport
        {
            Name = group.Name,
            Policy = PoolPolicy.File,
            SizeBytes = 0,
            ForeignBytes = 0,
            ReserveBytes = 0,
            GranularityBytes = PoolDirectory.Granularity,
        };
        try
        {
            using var directory = PoolDirectory.Open(group);
            var volumes = directory.Volumes();
            var space = directory.Measure(volumes);
            return empty with
            {
                SizeBytes = space.Size,
                ForeignBytes = space.Foreign,
                ReserveBytes = space.Reserve,
                Volumes = [.. volumes.Select(v => ToVolume(v, group.Name))],
                Problem = VolumeFile.Probe(directory.Handle),
            };
        }
        catch (StorageException exception)
        {
            return empty with { Problem = exception.Message };
        }
    }

    private VolumeFile? FindFile(string volumeId)
    {
        foreach (var group in _groups.Values.Where(g => Directory.Exists(g.Directory)))
        {
            using var directory = PoolDirectory.Open(group);
            if (VolumeFile.Find(directory.Handle, volumeId) is { } file && file.VolumeId == volumeId)
            {
                return file;
            }
        }

        return null;
    }

    private DiskGroup Group(string pool) =>
        _groups.GetValueOrDefault(pool) ?? throw new StorageException(
            StorageErrorCode.FailedPrecondition,
            $"Pool '{pool}' is not among this node's FILE pools ({string.Join(", ", _groups.Keys.Order(StringComparer.Ordinal))}).");
}
