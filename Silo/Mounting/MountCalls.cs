using System.Runtime.InteropServices;
using Carina.Grains.Errors;
using Carina.Silo.Linux;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Mounting;

/// <summary>
/// mount(2), umount2(2) and growth of what is mounted, on open handles. Each runs on a thread of its own, because the kernel may recover a journal
/// or write back gigabytes before it returns, and cannot be interrupted.
/// </summary>
internal sealed class MountCalls(TimeProvider clock)
{
    /// <summary>How long something may be in use before that is believed.</summary>
    public static readonly TimeSpan BusyTime = TimeSpan.FromSeconds(2);

    public static readonly TimeSpan BusyPause = TimeSpan.FromMilliseconds(50);

    private const ulong Remount = 32;
    private const ulong Bind = 4096;
    private const int UnmountDetach = 2;
    private const int UnmountNoFollow = 8;

    // _IOW('f', 16, __u64) of ext4.
    private const nuint Ext4ResizeFileSystem = 0x40086610;

    /// <summary>Mounts a file system on an open directory.</summary>
    public Task MountAsync(string device, SafeFileHandle target, string fileSystem, MountOptions options) =>
        CallAsync(
            () => Libc.Mount(device, LinuxFile.PathOf(target), fileSystem, options.Flags, string.Join(',', options.Data)),
            errno => errno == Errno.EINVAL || errno == Errno.EUCLEAN
                ? new StorageException(
                    StorageErrorCode.FailedPrecondition,
                    $"Cannot mount {device} as {fileSystem} with the options '{string.Join(',', options.Data)}': the kernel finds the "
                    + $"file system damaged or an option unknown ({Marshal.GetPInvokeErrorMessage(errno)}); its log says which. Damage is "
                    + "repaired by hand, after a copy was made: e2fsck -f, xfs_repair, btrfs check.")
                : LinuxError.From(errno, $"mount {device} as {fileSystem}"));

    /// <summary>Makes an open file or directory appear at another one too.</summary>
    public Task BindAsync(SafeFileHandle source, SafeFileHandle target, string path) =>
        CallAsync(
            () => Libc.Mount(LinuxFile.PathOf(source), LinuxFile.PathOf(target), null, Bind, null),
            errno => LinuxError.From(errno, $"bind the volume to {path}"));

    /// <summary>Replaces the flags of one mount, given a handle on its root.</summary>
    public Task SetFlagsAsync(SafeFileHandle mounted, ulong flags, string path) =>
        CallAsync(
            () => Libc.Mount("none", LinuxFile.PathOf(mounted), null, Bind | Remount | flags, null),
            errno => LinuxError.From(errno, $"change the flags of the mount at {path}"));

    /// <summary>Unmounts the topmost mount on a name of an open directory.</summary>
    public Task UnmountAsync(SafeFileHandle directory, string name, string path) =>
        CallAsync(
            () => Libc.Umount(LinuxFile.PathOf(directory) + "/" + name, UnmountNoFollow),
            errno => errno == Errno.EBUSY
                ? new StorageException(
                    StorageErrorCode.FailedPrecondition, $"Cannot unmount {path}: processes still use files in it; end them first.")
                : LinuxError.From(errno, $"unmount {path}"));

    /// <summary>As <see cref="UnmountAsync"/>, whoever still uses files in it.</summary>
    public Task DetachAsync(SafeFileHandle directory, string name, string path) =>
        CallAsync(
            () => Libc.Umount(LinuxFile.PathOf(directory) + "/" + name, UnmountDetach | UnmountNoFollow),
            errno => LinuxError.From(errno, $"detach the mount at {path}"));

    /// <summary>Grows a mounted ext4, given a handle on the root of a writable mount of it.</summary>
    public Task ResizeExt4Async(SafeFileHandle root, ulong blocks, string path) =>
        CallAsync(
            () => Libc.Ioctl(root, Ext4ResizeFileSystem, ref blocks),
            errno => errno == Errno.EPERM
                ? new StorageException(
                    StorageErrorCode.FailedPrecondition,
                    $"The kernel does not let the ext4 at {path} grow: either it has recorded errors (unmount it and run e2fsck), "
                    + "or this process lacks CAP_SYS_RESOURCE (run it privileged).")
                : LinuxError.From(errno, $"grow the ext4 at {path} to {blocks} blocks"));

    private async Task CallAsync(Func<int> call, Func<int, StorageException> failure)
    {
        var started = clock.GetTimestamp();
        while (true)
        {
            var errno = await Task.Factory.StartNew(
                () => call() == 0 ? 0 : Marshal.GetLastPInvokeError(),
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default).ConfigureAwait(false);
            if (errno == 0)
                return;

            // A program that is being started has our handles for a moment, and others look at mounts and devices.
            if (errno != Errno.EBUSY || clock.GetElapsedTime(started) > BusyTime)
                throw failure(errno);

            await Task.Delay(BusyPause, clock).ConfigureAwait(false);
        }
    }
}
