using System.Runtime.InteropServices;
using Carina.Silo.Linux;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Backends.Lvm;

/// <summary>
/// Zeroes both ends of a new volume, where file systems, partition tables, LVM, md and others keep what they are
/// recognised by. Its extents may have belonged to anybody.
/// </summary>
internal static partial class SignatureEraser
{
    /// <summary>
    /// Bytes that are zeroed at either end: all places that libblkid looks at (VMFS's at 2 MiB is the innermost).
    /// </summary>
    public const long Margin = 4 << 20;

    private const nuint Blkzeroout = 0x127F;

    /// <summary>Zeroes, past the page cache and to the disk.</summary>
    /// <exception cref="Grains.Errors.StorageException">
    /// FailedPrecondition when somebody has the device; Internal when it cannot be written.
    /// </exception>
    public static void Erase(VolumeDevice volume)
    {
        using var device = LinuxFile.Open(
            null, volume.Path, OpenFlags.ReadWrite | OpenFlags.Exclusive | OpenFlags.NonBlocking | OpenFlags.NoFollow);
        var margin = Math.Min(Margin, volume.Bytes);
        Zero(device, volume.Path, 0, margin);
        Zero(device, volume.Path, volume.Bytes - margin, margin);
    }

    private static void Zero(SafeFileHandle device, string path, long start, long length)
    {
        var range = new ByteRange { Start = (ulong)start, Length = (ulong)length };
        if (Ioctl(device, Blkzeroout, ref range) != 0)
            throw LinuxError.Last($"zero {length} bytes of {path} at byte {start}");
    }

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Ioctl(SafeFileHandle file, nuint request, ref ByteRange argument);

    [StructLayout(LayoutKind.Sequential)]
    private struct ByteRange
    {
        public ulong Start;
        public ulong Length;
    }
}
