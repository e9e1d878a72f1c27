using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Carina.Grains.Errors;
using Carina.Silo.Linux;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Fencing;

/// <summary>
/// Tables of mapped devices, by ioctl (linux/dm-ioctl.h): a program to do it would first have to be read from a disk
/// that may be the one that does not answer.
/// </summary>
internal static class MappedTable
{
    private const string Control = "/dev/mapper/control";

    // _IOWR(0xfd, n, struct dm_ioctl), which has 312 bytes.
    private const nuint DeviceSuspend = 0xC138FD06;
    private const nuint TableLoad = 0xC138FD09;
    private const nuint TableStatus = 0xC138FD0C;
    private const uint StatusTable = 1 << 4;
    private const uint BufferFull = 1 << 8;
    private const uint SkipLockfs = 1 << 10;
    private const uint NoFlush = 1 << 11;

    private const int HeaderBytes = 312;
    private const int TargetBytes = 40;
    private const int BufferBytes = 16 << 10;
    private const string ErrorTarget = "error";

    public static bool IsMapped(DeviceNumber number) => BlockDeviceNode.ReadSysfs(number, "dm/uuid") is not null;

    /// <summary>Paths of the devices that the table in force lies on.</summary>
    public static IReadOnlyList<string> DevicesBelow(DeviceNumber number) =>
    [
        .. Directory.EnumerateFileSystemEntries(BlockDeviceNode.SysfsOf(number) + "/slaves")
            .Select(slave => "/dev/" + Path.GetFileName(slave).Replace('!', '/')),
    ];

    /// <summary>Whether the table in force fails everything.</summary>
    public static bool IsError(DeviceNumber number)
    {
        using var control = Open();
        var buffer = Request(number, StatusTable);
        Call(control, TableStatus, buffer, $"read the table of the mapped device {number}");
        var count = BinaryPrimitives.ReadUInt32LittleEndian(buffer.AsSpan(20));
        var flags = BinaryPrimitives.ReadUInt32LittleEndian(buffer.AsSpan(28));
        var start = BinaryPrimitives.ReadUInt32LittleEndian(buffer.AsSpan(16));
        if (count != 1 || (flags & BufferFull) != 0 || start + TargetBytes > buffer.Length)
            return false;

        var type = buffer.AsSpan((int)start + 24, 16);
        return Encoding.ASCII.GetString(type[..Math.Max(0, type.IndexOf((byte)0))]) == ErrorTarget;
    }

    /// <summary>
    /// Puts a table in force that fails everything, once what was sent to the present one has ended; what comes in
    /// between waits. Neither is a file system on it asked to write anything before, nor are writes flushed.
    /// </summary>
    public static void ReplaceByError(DeviceNumber number)
    {
        using var control = Open();
        var load = Request(number, 0);
        BinaryPrimitives.WriteUInt32LittleEndian(load.AsSpan(20), 1);
        BinaryPrimitives.WriteUInt64LittleEndian(load.AsSpan(HeaderBytes + 8), (ulong)BlockDeviceNode.BytesOf(number) / 512);
        Encoding.ASCII.GetBytes(ErrorTarget, load.AsSpan(HeaderBytes + 24));
        Call(control, TableLoad, load, $"load a table that fails everything into the mapped device {number}");

        // Without the flag to suspend this resumes, which first suspends a device that is not, and swaps the tables.
        Call(control, DeviceSuspend, Request(number, SkipLockfs | NoFlush), $"put the new table of the mapped device {number} in force");
    }

    private static SafeFileHandle Open() => LinuxFile.Open(null, Control, OpenFlags.ReadWrite);

    private static byte[] Request(DeviceNumber number, uint flags)
    {
        var buffer = new byte[BufferBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(buffer, 4);
        BinaryPrimitives.WriteUInt32LittleEndian(buffer.AsSpan(12), BufferBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(buffer.AsSpan(16), HeaderBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(buffer.AsSpan(28), flags);

        // huge_encode_dev of linux/kdev_t.h; the number is all that names the device.
        var (major, minor) = ((ulong)number.Major, (ulong)number.Minor);
        BinaryPrimitives.WriteUInt64LittleEndian(buffer.AsSpan(40), (minor & 0xFF) | (major << 8) | ((minor & ~0xFFUL) << 12));
        return buffer;
    }

    private static void Call(SafeFileHandle control, nuint request, byte[] buffer, string what)
    {
        while (Libc.Ioctl(control, request, ref buffer[0]) != 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            if (errno != Errno.EINTR)
                throw new StorageException(StorageErrorCode.Internal, LinuxError.From(errno, what).Message);
        }
    }
}
