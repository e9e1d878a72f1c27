using Carina.Grains.Configuration;
using Carina.Grains.Errors;
using Carina.Silo.Linux;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Backends.Files;

/// <summary>The directory of one FILE pool.</summary>
internal sealed record FilePool(string Name, string Directory, long LimitBytes, long ReserveBytes)
{
    private const uint OwnerOnly = 0x1C0;
    private const uint OthersMask = 0x3F;
    private const string RecoveredFiles = "lost+found";

    public static FilePool Of(DiskGroup group) => new(
        group.Name, group.Directory.Length > 1 ? group.Directory.TrimEnd('/') : group.Directory, group.CapacityBytes, group.ReserveBytes);

    public string PathOf(string volumeId) => Directory + "/" + VolumeFile.NameOf(volumeId);

    /// <summary>Opens the directory.</summary>
    /// <param name="make">
    /// Make it if it is missing. Only scans do: a directory that went missing later may be on a disk that is not mounted
    /// now, and volumes that were on it are not gone.
    /// </param>
    /// <exception cref="StorageException">FailedPrecondition when it cannot be trusted with volumes.</exception>
    public SafeFileHandle OpenDirectory(bool make = false)
    {
        if (!Directory.StartsWith('/') || Directory.Length < 2 || Directory[1..].Split('/').Any(part => part is "" or "." or ".."))
            throw Unusable("it is not an absolute path without '.' and '..'");

        var parentPath = Path.GetDirectoryName(Directory)!;
        using var parent = LinuxFile.TryOpen(null, parentPath, OpenFlags.Directory, out _)
            ?? throw Unusable($"its parent {parentPath} does not exist on this node; make it, or mount its disk");
        var name = Path.GetFileName(Directory);
        var handle = LinuxFile.TryOpen(parent, name, OpenFlags.Directory | OpenFlags.NoFollow, out var errno);
        if (handle is null && errno == Errno.ENOENT && make)
        {
            LinuxFile.MakeDirectory(parent, name, OwnerOnly);
            LinuxFile.Flush(parent);
            handle = LinuxFile.TryOpen(parent, name, OpenFlags.Directory | OpenFlags.NoFollow, out errno);
        }

        if (handle is null && errno == Errno.ENOENT)
            throw Unusable("it does not exist (any more); is its disk mounted?");

        if (handle is null)
        {
            throw errno is Errno.ENOTDIR or Errno.ELOOP
                ? Unusable("it is a symbolic link or not a directory")
                : LinuxError.From(errno, $"open the directory {Directory} of pool '{Name}'");
        }

        try
        {
            MakePrivate(handle);
            var result = handle;
            handle = null;
            return result;
        }
        finally
        {
            handle?.Dispose();
        }
    }

    /// <summary>The volumes in it; what has a volume's name but is not ours goes to <paramref name="onForeign"/>.</summary>
    public static List<VolumeFileInfo> ListVolumes(SafeFileHandle directory, Action<string, string> onForeign)
    {
        var volumes = new List<VolumeFileInfo>();
        foreach (var path in System.IO.Directory.EnumerateFiles(LinuxFile.PathOf(directory)))
        {
            var name = Path.GetFileName(path);
            if (VolumeFile.VolumeOf(name) is not { } volumeId)
                continue;

            try
            {
                using var volume = VolumeFile.TryOpen(directory, name, volumeId);
                if (volume is not null)
                    volumes.Add(volume.Info);
            }
            catch (StorageException e)
            {
                onForeign(name, e.Message);
            }
        }

        return volumes;
    }

    // An empty directory, such as the mount point of a new disk, is taken over; one with content may be somebody's.
    private void MakePrivate(SafeFileHandle handle)
    {
        var status = LinuxFile.Status(handle);
        if (status.UserId != 0)
            throw Unusable($"it belongs to user {status.UserId}; give it to root");

        if ((status.Permissions & OthersMask) == 0)
            return;

        var isEmpty = System.IO.Directory.EnumerateFileSystemEntries(LinuxFile.PathOf(handle))
            .All(path => Path.GetFileName(path) == RecoveredFiles);
        if (!isEmpty)
            throw Unusable("others than root may enter it, and it is not empty; run 'chmod 700' on it");

        if (Libc.FChmod(handle, OwnerOnly) != 0)
            throw LinuxError.Last($"make the directory {Directory} private");
    }

    private StorageException Unusable(string reason) => new(
        StorageErrorCode.FailedPrecondition, $"The directory '{Directory}' of pool '{Name}' cannot be used: {reason}.");
}
