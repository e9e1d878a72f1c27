using System.Runtime.InteropServices;
using Carina.Silo.Linux;
using Carina.Silo.Mounting;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Fencing;

/// <summary>
/// Tells the file system on a device that is cut off, so that it does not go on collecting in memory what it can never
/// write. Its mounts stay and answer with errors. Never before the device is cut off: an fsync(2) that is under way while
/// ext4 or xfs is stopped so may return success for what never reached the disk (seen on 6.1), because
/// what it waits for is gone; while one whose writes fail is told so.
/// </summary>
internal static partial class FileSystemShutdown
{
    // FS_IOC_SHUTDOWN, _IOR('X', 125, __u32): the same of ext4 (EXT4_IOC_SHUTDOWN), xfs (XFS_IOC_GOINGDOWN), f2fs and
    // btrfs from Linux 6.19.
    private const nuint Shutdown = 0x8004587D;

    // What of the journal is in memory only is not written.
    private const int NoLogFlush = 2;

    /// <summary>Stops it for all who have it mounted, where it is of a kind that can be.</summary>
    public static void Stop(DeviceNumber device)
    {
        foreach (var (path, mount) in MountsOf(device))
        {
            using var root = OpenRoot(path, mount, out var isDead);
            var flags = NoLogFlush;
            if (isDead || (root is not null && Libc.Ioctl(root, Shutdown, ref flags) == 0))
                return;
        }
    }

    /// <summary>
    /// Lets it find out by itself: changes the time of its root, and has that and everything else written, which fails.
    /// When this has returned, so have the writes that were under way.
    /// </summary>
    public static void LetItNotice(DeviceNumber device)
    {
        foreach (var (path, mount) in MountsOf(device).Where(found => !found.Mount.IsReadOnly))
        {
            using var root = OpenRoot(path, mount, out _);
            if (root is null)
                continue;

            _ = FUtimens(root, 0);
            _ = SyncFs(root);
            return;
        }
    }

    // Of one file system, so one mount of it is enough; each is a try. What is mounted in other mount namespaces only
    // (a container that outlived its unmount) is reached through their processes.
    private static List<(string Path, MountEntry Mount)> MountsOf(DeviceNumber device)
    {
        var here = MountTable.Read().OfFileSystemOn(device).Select(mount => (mount.MountPoint, mount)).ToList();
        return here.Count > 0 ? here : [.. Elsewhere(device)];
    }

    private static IEnumerable<(string Path, MountEntry Mount)> Elsewhere(DeviceNumber device)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal) { NamespaceOf("self") };
        foreach (var id in DeviceHolders.Processes())
        {
            List<MountEntry> mounts;
            try
            {
                if (!seen.Add(NamespaceOf($"{id}")))
                    continue;

                mounts = [.. MountTable.Parse(File.ReadLines($"/proc/{id}/mountinfo")).OfFileSystemOn(device)];
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                continue;
            }

            foreach (var mount in mounts)
                yield return ($"/proc/{id}/root{mount.MountPoint}", mount);
        }
    }

    private static string NamespaceOf(string process) => new FileInfo($"/proc/{process}/ns/mnt").LinkTarget ?? "";

    // Something else may be mounted over it. A file system that was stopped before (xfs) lets nobody open anything.
    private static SafeFileHandle? OpenRoot(string path, MountEntry mount, out bool isDead)
    {
        var root = LinuxFile.TryOpen(null, path, OpenFlags.NonBlocking | OpenFlags.NoFollow, out var errno);
        isDead = root is null && errno == Errno.EIO;
        if (root is null || SafePath.MountIdOf(root) == mount.Id)
            return root;

        root.Dispose();
        return null;
    }

    // A null pointer means now.
    [LibraryImport("libc", EntryPoint = "futimens", SetLastError = true)]
    private static partial int FUtimens(SafeFileHandle file, nint times);

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    private static partial int SyncFs(SafeFileHandle file);
}
