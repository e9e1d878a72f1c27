using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Linux;

/// <summary>A block device by its node and by sysfs; no process is started.</summary>
internal static class BlockDeviceNode
{
    private const nuint Blkroset = 0x125D;
    private const nuint Blkroget = 0x125E;

    /// <summary>
    /// Opens the device as its only exclusive holder, read-only. Null when somebody holds it: a mount, device-mapper,
    /// md, swap, or a program that makes a file system.
    /// </summary>
    /// <exception cref="Grains.Errors.StorageException">It cannot be opened for another reason.</exception>
    public static SafeFileHandle? TryHold(string path)
    {
        var file = LinuxFile.TryOpen(null, path, OpenFlags.Exclusive | OpenFlags.NonBlocking, out var errno);
        return file is null && errno != Errno.EBUSY ? throw LinuxError.From(errno, $"open the device {path}") : file;
    }

    /// <summary>The device number of a node; null when there is no such node.</summary>
    public static DeviceNumber? NumberOf(string path) =>
        LinuxFile.TryStatus(path) is { Kind: FileKind.BlockDevice } status ? status.SpecialDevice : null;

    /// <summary>Whether the kernel (still) has a device with this number.</summary>
    public static bool Exists(DeviceNumber number) => Directory.Exists(SysfsOf(number));

    /// <summary>Size in bytes; 0 when the device is gone.</summary>
    public static long BytesOf(DeviceNumber number) =>
        long.TryParse(ReadSysfs(number, "size"), CultureInfo.InvariantCulture, out var sectors) ? sectors * 512 : 0;

    /// <summary>The content of a file of the device's directory in sysfs, trimmed; null when there is none.</summary>
    public static string? ReadSysfs(DeviceNumber number, string file)
    {
        try
        {
            return File.ReadAllText($"{SysfsOf(number)}/{file}").Trim();
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>The device's directory in sysfs.</summary>
    public static string SysfsOf(DeviceNumber number) => $"/sys/dev/block/{number}";

    /// <summary>Whether writes to the device are refused (blockdev(8) --getro).</summary>
    public static bool IsReadOnly(string path)
    {
        using var device = LinuxFile.Open(null, path, OpenFlags.NonBlocking);
        var current = 0;
        return Libc.Ioctl(device, Blkroget, ref current) == 0
            ? current != 0
            : throw LinuxError.Last($"ask whether the device {path} is read-only");
    }

    /// <summary>Sets whether the kernel accepts writes to the device from now on (blockdev(8) --setro).</summary>
    public static void SetReadOnly(string path, bool readOnly)
    {
        using var device = LinuxFile.Open(null, path, OpenFlags.NonBlocking);
        var current = 0;
        if (Libc.Ioctl(device, Blkroget, ref current) == 0 && current != 0 == readOnly)
            return;

        var wanted = readOnly ? 1 : 0;
        if (Libc.Ioctl(device, Blkroset, ref wanted) != 0)
            throw LinuxError.Last($"make the device {path} {(readOnly ? "read-only" : "writable")}");
    }
}
