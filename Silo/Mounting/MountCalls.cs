using System.Runtime.InteropServices;
using Carina.Grains.Errors;
using Carina.Silo.Linux;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Mounting;

/// <summary>
/// mount(2) and umount2(2) on open handles. Each runs on a thread of its own, because the kernel may recover a journal
/// or write back gigabytes before it returns, and cannot be interrupted.
/// </summary>
internal static class MountCalls
{
    private const ulong Remount = 32;
    private const ulong Bind = 4096;
    private const int UnmountNoFollow = 8;

    /// <summary>Mounts a file system on an open directory.</summary>
    public static Task MountAsync(string device, SafeFileHandle target, string fileSystem, MountOptions options) =>
        CallAsync(
            () => Libc.Mount(device, LinuxFile.PathOf(target), fileSystem, options.Flags, string.Join(',', options.Data)),
            errno => errno == Errno.EINVAL || errno == Errno.EUCLEAN
                ? new StorageException(
                    StorageErrorCode.FailedPrecondition,
                    $"Cannot mount {device} as {fileSystem} with the options '{string.Join(',', options.Data)}': the kernel finds the "
                    + $"file system damaged or an option unknown ({Marshal.GetPInvokeErrorMessage(errno)}); its log says which.")
                : LinuxError.From(errno, $"mount {device} as {fileSystem}"));

    /// <summary>Makes an open file or directory appear at another one too.</summary>
    public static Task BindAsync(SafeFileHandle source, SafeFileHandle target, string path) =>
        CallAsync(
            () => Libc.Mount(LinuxFile.PathOf(source), LinuxFile.PathOf(target), null, Bind, null),
            errno => LinuxError.From(errno, $"bind the volume to {path}"));

    /// <summary>Replaces the flags of one mount, given a handle on its root.</summary>
    public static Task SetFlagsAsync(SafeFileHandle mounted, ulong flags, string path) =>
        CallAsync(
            () => Libc.Mount("none", LinuxFile.PathOf(mounted), null, Bind | Remount | flags, null),
            errno => LinuxError.From(errno, $"change the flags of the mount at {path}"));

    /// <summary>Unmounts the topmost mount on a name of an open directory.</summary>
    public static Task UnmountAsync(SafeFileHandle directory, string name, string path) =>
        CallAsync(
            () => Libc.Umount(LinuxFile.PathOf(directory) + "/" + name, UnmountNoFollow),
            errno => errno == Errno.EBUSY
                ? new StorageException(
                    StorageErrorCode.FailedPrecondition, $"Cannot unmount {path}: processes still use files in it; end them first.")
                : LinuxError.From(errno, $"unmount {path}"));

    private static async Task CallAsync(Func<int> call, Func<int, StorageException> failure)
    {
        var errno = await Task.Factory.StartNew(
            () => call() == 0 ? 0 : Marshal.GetLastPInvokeError(),
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default).ConfigureAwait(false);
        if (errno != 0)
            throw failure(errno);
    }
}
