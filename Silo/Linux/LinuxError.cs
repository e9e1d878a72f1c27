using System.Runtime.InteropServices;
using Carina.Grains.Errors;

namespace Carina.Silo.Linux;

/// <summary>Turns error numbers into failures for people.</summary>
internal static class LinuxError
{
    /// <summary>The failure of the system call that has just failed.</summary>
    /// <param name="what">
    /// What could not be done, with its object: "mount /dev/loop7 at /x". It must not need a system call to find out, which
    /// would replace the error number; then take that first and use <see cref="From"/>.
    /// </param>
    public static StorageException Last(string what) => From(Marshal.GetLastPInvokeError(), what);

    public static StorageException From(int errno, string what) =>
        new(CodeOf(errno), $"Cannot {what}: {Marshal.GetPInvokeErrorMessage(errno)}.");

    private static StorageErrorCode CodeOf(int errno) => errno switch
    {
        Errno.ENOSPC or Errno.EDQUOT => StorageErrorCode.ResourceExhausted,
        Errno.EBUSY or Errno.EROFS or Errno.ENOTEMPTY or Errno.ELOOP or Errno.ENOTDIR => StorageErrorCode.FailedPrecondition,
        Errno.ENOENT => StorageErrorCode.NotFound,
        _ => StorageErrorCode.Internal,
    };
}
