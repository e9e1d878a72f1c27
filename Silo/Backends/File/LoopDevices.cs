using System.Globalization;
using Carina.Grains.Errors;
using Carina.Silo.Linux;
using Carina.Silo.Processes;

namespace Carina.Silo.Backends.File;

/// <summary>Loop devices behind which volume files appear as disks (loop(4), losetup(8)).</summary>
internal sealed class LoopDevices(ICommandRunner commands)
{
    private const nuint LoopGetStatus64 = 0x4C05;
    private const nuint LoopSetCapacity = 0x4C07;
    private const string SysBlock = "/sys/block";

    /// <summary>The loop device of a file, if it has one. Asks the kernel only.</summary>
    /// <param name="path">The file's path.</param>
    /// <param name="inode">Its inode: a loop device left behind by a removed file of the same name is not this file's.</param>
    public static VolumeDevice? Find(string path, ulong inode)
    {
        foreach (var directory in Directory.EnumerateDirectories(SysBlock, "loop*"))
        {
            if (ReadLine($"{directory}/loop/backing_file") != path)
            {
                continue;
            }

            var device = $"/dev/{Path.GetFileName(directory)}";
            if (BackingInode(device) == inode && ReadLine($"{directory}/dev")?.Split(':') is [var major, var minor])
            {
                var number = new DeviceNumber(
                    int.Parse(major, CultureInfo.InvariantCulture), int.Parse(minor, CultureInfo.InvariantCulture));
                return new VolumeDevice(device, number.Major, number.Minor, BlockDeviceNode.BytesOf(number));
            }
        }

        return null;
    }

    /// <summary>Attaches a loop device to the file, with direct I/O where its file system can.</summary>
    public async Task AttachAsync(string path, CancellationToken cancellationToken)
    {
        // Without direct I/O every page would be cached twice, and a flush would mean less.
        string[] common = ["--find", "--nooverlap"];
        var direct = await commands.RunAsync("losetup", [.. common, "--direct-io=on", path], cancellationToken);
        if (direct.ExitCode == 0)
        {
            return;
        }

        var buffered = await commands.RunAsync("losetup", [.. common, path], cancellationToken);
        if (buffered.ExitCode != 0)
        {
            throw new StorageException(
                StorageErrorCode.Internal, $"Cannot attach a loop device to {path}: {buffered.Error.Trim()}");
        }
    }

    /// <summary>Detaches the device. False when somebody still has it open: it then stays, or goes with the last of them.</summary>
    public async Task<bool> DetachAsync(
        VolumeDevice device, string path, ulong inode, CancellationToken cancellationToken)
    {
        using (var held = BlockDeviceNode.TryHold(device.Path))
        {
            if (held is null)
            {
                return false;
            }
        }

        var result = await commands.RunAsync("losetup", ["--detach", device.Path], cancellationToken);
        return result.ExitCode != 0 && Find(path, inode) is not null
            ? throw new StorageException(
                StorageErrorCode.Internal, $"Cannot detach {device.Path} from {path}: {result.Error.Trim()}")
            : Find(path, inode) is null;
    }

    /// <summary>Makes the device as large as its file is now.</summary>
    public static void RefreshSize(VolumeDevice device)
    {
        using var file = LinuxFile.Open(null, device.Path, OpenFlags.ReadWrite | OpenFlags.NonBlocking);
        var unused = 0;
        if (Libc.Ioctl(file, LoopSetCapacity, ref unused) != 0)
        {
            throw LinuxError.Last($"tell {device.Path} that its file has grown");
        }
    }

    private static ulong? BackingInode(string device)
    {
        using var file = LinuxFile.TryOpen(null, device, OpenFlags.NonBlocking, out _);
        var info = default(Libc.LoopInfo64);
        return file is not null && Libc.Ioctl(file, LoopGetStatus64, ref info) == 0 ? info.Inode : null;
    }

    private static string? ReadLine(string path)
    {
        try
        {
            return System.IO.File.ReadAllText(path).TrimEnd('\n');
        }
        catch (IOException)
        {
            // The device went away between listing and reading.
            return null;
        }
    }
}
