using System.Runtime.InteropServices;
using Carina.Grains.Configuration;
using Carina.Grains.Errors;
using Carina.Silo.Linux;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Backends.File;

/// <summary>The directory of a FILE pool, held open so that it cannot be swapped for another in between.</summary>
internal sealed class PoolDirectory : IDisposable
{
    /// <summary>Sizes of volumes are multiples of this, as in LVM pools with default extents.</summary>
    public const long Granularity = 4 << 20;

    private readonly DiskGroup _group;

    private PoolDirectory(DiskGroup group, SafeFileHandle handle) => (_group, Handle) = (group, handle);

    public SafeFileHandle Handle { get; }

    /// <summary>Opens the group's directory, making it if its parent exists.</summary>
    /// <exception cref="StorageException">It is not a directory of this machine that a pool may use.</exception>
    public static PoolDirectory Open(DiskGroup group)
    {
        if (!Path.Exists(group.Directory) && Directory.Exists(Path.GetDirectoryName(group.Directory)))
        {
            Directory.CreateDirectory(
                group.Directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        var handle = LinuxFile.Open(null, group.Directory, OpenFlags.Directory | OpenFlags.NoFollow);
        return new PoolDirectory(group, handle);
    }

    /// <summary>Our volume files in it.</summary>
    public IReadOnlyList<VolumeFile> Volumes() =>
    [
        .. Directory.EnumerateFiles(_group.Directory, "*" + VolumeFile.Extension)
            .Select(path => Path.GetFileName(path)[..^VolumeFile.Extension.Length])
            .Select(id => VolumeFile.Find(Handle, id) is { } file && file.VolumeId == id ? file : null)
            .OfType<VolumeFile>(),
    ];

    /// <summary>
    /// What the pool can promise: the directory's file system less what others use of it and less the reserve, and at
    /// most the configured capacity.
    /// </summary>
    public PoolSpace Measure(IReadOnlyCollection<VolumeFile> volumes)
    {
        if (Libc.FStatVfs(Handle, out var fs) != 0)
        {
            throw LinuxError.Last($"measure the file system of {_group.Directory}");
        }

        var total = (long)(fs.Blocks * fs.FragmentSize);
        var available = (long)(fs.AvailableBlocks * fs.FragmentSize);
        var foreign = Math.Max(0, total - available - volumes.Sum(v => v.AllocatedBytes));
        if (_group.CapacityBytes == 0)
        {
            return new PoolSpace(total, foreign, _group.ReserveBytes);
        }

        // The capacity is the pool's own; what the file system lacks of it counts as taken by others.
        var size = Math.Min(_group.CapacityBytes, total);
        return new PoolSpace(size, Math.Max(0, size - (total - foreign - _group.ReserveBytes)), 0);
    }

    public void Dispose() => Handle.Dispose();
}

/// <summary>Space of a pool in bytes: its size, what others use of it, and what is never promised.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct PoolSpace(long Size, long Foreign, long Reserve);
