using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Linux;

/// <summary>A lock between processes (flock(2)); the kernel lets go of it when its holder ends, however it ends.</summary>
internal sealed class FileLock : IDisposable
{
    private const int Shared = 1;
    private const int Exclusive = 2;
    private const int NonBlocking = 4;
    private const uint OwnerOnly = 0x180;

    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(20);

    private readonly SafeFileHandle _file;

    private FileLock(SafeFileHandle file) => _file = file;

    /// <summary>
    /// Waits for the lock. Null when nobody let go of it in time: a process that is stopped (SIGSTOP) keeps what it holds.
    /// </summary>
    /// <param name="path">The file that stands for it; made if it is missing, and never removed.</param>
    /// <param name="patience">Longest wait.</param>
    /// <param name="clock">The wait's clock.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="Grains.Errors.StorageException">The file cannot be opened.</exception>
    public static async Task<FileLock?> TryAcquireAsync(
        string path, TimeSpan patience, TimeProvider clock, CancellationToken cancellationToken)
    {
        var started = clock.GetTimestamp();
        var file = LinuxFile.Open(null, path, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.NoFollow, OwnerOnly);
        try
        {
            while (Libc.Flock(file, Exclusive | NonBlocking) != 0)
            {
                if (clock.GetElapsedTime(started) >= patience)
                    return null;

                await Task.Delay(_pause, clock, cancellationToken).ConfigureAwait(false);
            }

            var held = new FileLock(file);
            file = null;
            return held;
        }
        finally
        {
            file?.Dispose();
        }
    }

    /// <summary>Whether a process holds the lock now. Who tries to get it at this very moment may fail to.</summary>
    /// <param name="path">The file that stands for it; nobody holds one that is not there.</param>
    public static bool IsHeld(string path)
    {
        using var file = LinuxFile.TryOpen(null, path, OpenFlags.Read | OpenFlags.NoFollow, out _);
        return file is not null && Libc.Flock(file, Shared | NonBlocking) != 0
            && Marshal.GetLastPInvokeError() == Errno.EAGAIN;
    }

    public void Dispose() => _file.Dispose();
}
