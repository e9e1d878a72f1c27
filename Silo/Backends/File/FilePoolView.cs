using Carina.Grains.Agents;
using Carina.Grains.Configuration;
using Carina.Grains.Errors;
using Carina.Silo.Linux;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Backends.Files;

/// <summary>The FILE pools of this node as the disk has them at one instant; several may share a file system.</summary>
internal sealed class FilePoolView : IDisposable
{
    private readonly Dictionary<string, OpenPool> _pools = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _problems = new(StringComparer.Ordinal);
    private readonly Lazy<ILookup<string, LoopDevice>> _loops = new(
        () => LoopDevices.ListAttached().ToLookup(loop => Path.GetFileName(loop.BackingPath), StringComparer.Ordinal));

    private FilePoolView()
    {
    }

    /// <summary>Looks at all pools; one that cannot be used has a problem and hides no other.</summary>
    /// <param name="make">Make directories that are missing.</param>
    /// <param name="onForeign">Told the name of each file that only looks like a volume, and why it is none.</param>
    public static FilePoolView Open(IReadOnlyList<FilePool> pools, bool make, Action<string, string> onForeign)
    {
        var view = new FilePoolView();
        foreach (var pool in pools)
        {
            try
            {
                view.Add(pool, make, onForeign);
            }
            catch (Exception e) when (e is StorageException or IOException or UnauthorizedAccessException)
            {
                view._problems[pool.Name] = e.Message;
            }
        }

        return view;
    }

    public PoolReport Report(FilePool pool)
    {
        var report = new PoolReport
        {
            Name = pool.Name,
            Policy = PoolPolicy.File,
            SizeBytes = 0,
            ForeignBytes = 0,
            ReserveBytes = pool.ReserveBytes,
            GranularityBytes = FileBackend.Granularity,
            Problem = _problems.GetValueOrDefault(pool.Name, ""),
        };
        if (!_pools.TryGetValue(pool.Name, out var open))
            return report;

        var accounts = Account(open);
        return report with
        {
            SizeBytes = accounts.Size,
            ForeignBytes = accounts.Foreign,
            Volumes = [.. open.Volumes.Select(file => Describe(pool, file, FindLoop(file)))],
            Problem = FindProblem(open),
        };
    }

    /// <summary>Bytes that can still be promised; negative when other files have grown into promised space.</summary>
    /// <exception cref="StorageException">FailedPrecondition when nothing new can be made in the pool.</exception>
    public long FreeBytes(FilePool pool)
    {
        var problem = _pools.TryGetValue(pool.Name, out var open) ? FindProblem(open) : _problems.GetValueOrDefault(pool.Name, "its group left the configuration");
        if (open is null || problem.Length > 0)
            throw new StorageException(
                StorageErrorCode.FailedPrecondition, $"Nothing new can be made in pool '{pool.Name}': {problem}");

        var accounts = Account(open);
        return accounts.Size - accounts.Foreign - pool.ReserveBytes - open.Volumes.Sum(file => file.Status.Bytes);
    }

    public static DiskVolume Describe(FilePool pool, VolumeFileInfo file, LoopDevice? loop) => new()
    {
        Key = new DiskVolumeKey(file.VolumeId, pool.Name, file.Generation),
        Bytes = file.Status.Bytes,
        DevicePath = loop?.Path ?? pool.PathOf(file.VolumeId),
    };

    public void Dispose()
    {
        foreach (var pool in _pools.Values)
            pool.Dispose();
    }

    private void Add(FilePool pool, bool make, Action<string, string> onForeign)
    {
        var directory = pool.OpenDirectory(make);
        try
        {
            var status = LinuxFile.Status(directory);
            var twin = _pools.Values.FirstOrDefault(other => other.Identity == VolumeFile.IdentityOf(status));
            if (twin is not null)
            {
                throw new StorageException(
                    StorageErrorCode.FailedPrecondition,
                    $"The pools '{twin.Pool.Name}' and '{pool.Name}' have the same directory {pool.Directory}; give each its own.");
            }

            VolumeFile.Rehearse(directory);
            _pools.Add(pool.Name, new OpenPool(pool, directory, VolumeFile.IdentityOf(status), FilePool.ListVolumes(directory, onForeign)));
            directory = null;
        }
        catch (StorageException e) when (e.Code == StorageErrorCode.Internal)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"The file system of {pool.Directory} cannot hold volumes: it must know nameless files and extended attributes "
                + $"(ext4, xfs and btrfs do). {e.Message}",
                e);
        }
        finally
        {
            directory?.Dispose();
        }
    }

    private IEnumerable<OpenPool> Neighbours(OpenPool pool) =>
        _pools.Values.Where(other => other.Identity.Device == pool.Identity.Device);

    private string FindProblem(OpenPool pool) =>
        pool.Pool.LimitBytes == 0 && Neighbours(pool).Count() > 1
            ? $"The pools {string.Join(", ", Neighbours(pool).Select(other => $"'{other.Pool.Name}'"))} share one file system; "
                + "give each a capacity, so that both do not promise the same space."
            : "";

    private FilePoolAccounts Account(OpenPool pool)
    {
        if (Libc.FStatVfs(pool.Directory, out var usage) != 0)
            throw LinuxError.Last($"read the free space of {pool.Pool.Directory}");

        var unit = (long)usage.FragmentSize;
        var size = (long)usage.Blocks * unit;
        var neighbours = Neighbours(pool).ToList();
        return new FilePoolAccounts(
            size,
            (long)usage.AvailableBlocks * unit,
            neighbours.Sum(other => other.Volumes.Sum(file => file.Status.AllocatedBytes)),
            neighbours.Sum(other => FilePoolAccounts.SizeOf(size, other.Pool.LimitBytes)),
            pool.Pool.LimitBytes);
    }

    private LoopDevice? FindLoop(VolumeFileInfo file)
    {
        var identity = file.Identity;
        return _loops.Value[VolumeFile.NameOf(file.VolumeId)].FirstOrDefault(loop => LoopDevices.IsAttachedTo(loop, identity));
    }

    private sealed record OpenPool(FilePool Pool, SafeFileHandle Directory, FileIdentity Identity, List<VolumeFileInfo> Volumes) : IDisposable
    {
        public void Dispose() => Directory.Dispose();
    }
}
