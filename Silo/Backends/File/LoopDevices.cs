using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;
using Carina.Grains.Errors;
using Carina.Silo.Fencing;
using Carina.Silo.Linux;
using Carina.Silo.Processes;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Backends.Files;

/// <summary>Which file a handle is of, whatever its name: file system and inode.</summary>
internal readonly record struct FileIdentity(DeviceNumber Device, ulong Inode);

/// <summary>A loop device that is attached to a file.</summary>
/// <param name="Name">The kernel's name, for instance <c>loop7</c>.</param>
/// <param name="Number">Its device number.</param>
/// <param name="BackingPath">The file's path as the kernel shows it; in a container it may be cut off at the front.</param>
internal sealed record LoopDevice(string Name, DeviceNumber Number, string BackingPath)
{
    public string Path => "/dev/" + Name;
}

/// <summary>Loop devices (loop(4)): found and detached through sysfs and ioctl, attached by losetup(8).</summary>
internal sealed class LoopDevices(ICommandRunner runner, TimeProvider clock)
{
    private const nuint ClearFile = 0x4C01;
    private const nuint SetStatus64 = 0x4C04;
    private const nuint GetStatus64 = 0x4C05;
    private const uint ReadOnlyFlag = 1;
    private const uint AutoClearFlag = 4;
    private const int MaxLimitAttempts = 100;
    private static readonly TimeSpan _detachTime = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan _detachPause = TimeSpan.FromMilliseconds(50);

    // Only a hint where to look first: with 1,000 volumes, looking everywhere takes 1,000 files.
    private readonly ConcurrentDictionary<string, string> _lastSeen = new(StringComparer.Ordinal);

    /// <summary>Attached loop devices whose file has this name, the lowest number first.</summary>
    public static IReadOnlyList<LoopDevice> FindByFileName(string fileName) =>
        [.. ListAttached().Where(loop => HasFileName(loop, fileName)).OrderBy(loop => loop.Number.Minor)];

    /// <summary>All attached loop devices.</summary>
    public static IEnumerable<LoopDevice> ListAttached() =>
        Directory.EnumerateDirectories("/sys/block", "loop*").Select(path => Read(System.IO.Path.GetFileName(path))).OfType<LoopDevice>();

    /// <summary>The loop device whose file has this name and which is accepted; looks first where it was last time.</summary>
    public LoopDevice? Find(string fileName, Func<LoopDevice, bool> accept)
    {
        if (_lastSeen.TryGetValue(fileName, out var name)
            && Read(name) is { } known && HasFileName(known, fileName) && accept(known))
        {
            return known;
        }

        var found = FindByFileName(fileName).FirstOrDefault(accept);
        if (found is null)
            _lastSeen.TryRemove(fileName, out _);
        else
            _lastSeen[fileName] = found.Name;

        return found;
    }

    /// <summary>Whether a loop device is attached to exactly this file.</summary>
    public static bool IsAttachedTo(LoopDevice loop, FileIdentity file) =>
        TryGetStatus(loop, out var info) && IdentityOf(info) == file;

    /// <summary>Whether it shows the whole file, writable.</summary>
    public static bool IsPlain(LoopDevice loop) =>
        TryGetStatus(loop, out var info) && info is { Offset: 0, SizeLimit: 0 } && (info.Flags & ReadOnlyFlag) == 0;

    /// <summary>How much of the file it shows, in bytes; 0 stands for all of it. 0 also when it is not attached.</summary>
    public static ulong SizeLimitOf(string path)
    {
        using var device = LinuxFile.TryOpen(null, path, OpenFlags.NonBlocking, out _);
        return device is not null && TryGetStatus(device, out var info) ? info.SizeLimit : 0;
    }

    /// <summary>
    /// Sets how much of the file it shows, in bytes, 0 being all: from its beginning, when what is under way has ended. Does
    /// not end before; the caller bounds its own wait.
    /// </summary>
    public static async Task SetSizeLimitAsync(string path, ulong bytes, TimeProvider clock)
    {
        for (var attempt = 0; ; attempt++)
        {
            // Kernels before 6.0 say so while a page was written to meanwhile.
            var errno = await OwnThread.RunAsync(() => TrySetSizeLimit(path, bytes)).ConfigureAwait(false);
            if (errno == 0)
                return;

            if (errno != Errno.EAGAIN || attempt == MaxLimitAttempts)
                throw LinuxError.From(errno, $"limit {path} to {bytes} bytes");

            await Task.Delay(_detachPause, clock).ConfigureAwait(false);
        }
    }

    private static int TrySetSizeLimit(string path, ulong bytes)
    {
        using var device = LinuxFile.Open(null, path, OpenFlags.NonBlocking);
        if (!TryGetStatus(device, out var info))
            throw LinuxError.Last($"read the settings of {path}");

        info.SizeLimit = bytes;
        return Libc.Ioctl(device, SetStatus64, ref info) == 0 ? 0 : Marshal.GetLastPInvokeError();
    }

    /// <summary>Attaches a loop device to a file; if one is attached already, returns that.</summary>
    public async Task<LoopDevice> AttachAsync(string path, FileIdentity file, CancellationToken cancellationToken)
    {
        string[] arguments = ["--find", "--show", "--nooverlap", "--direct-io=on", path];
        var result = await runner.RunAsync("losetup", arguments, cancellationToken).ConfigureAwait(false);
        if (result.ExitCode != 0)
        {
            // Not every file system can do direct I/O; without it data is cached twice, but safe.
            result = await runner.RunAsync(
                "losetup", [.. arguments.Where(argument => argument != "--direct-io=on")], cancellationToken).ConfigureAwait(false);
        }

        var name = System.IO.Path.GetFileName(result.Output.Trim());
        if (result.ExitCode != 0 || Read(name) is not { } loop)
            throw Failed($"attach a loop device to {path}", result);

        if (!IsAttachedTo(loop, file))
        {
            throw new StorageException(
                StorageErrorCode.Internal, $"losetup attached {loop.Path} to {loop.BackingPath} instead of {path}; detach it by hand.");
        }

        // Of what it was attached to before: a process that was killed in between has detached only.
        MakeWritable(loop);
        return loop;
    }

    /// <summary>Lets a loop device see its file's present size.</summary>
    public async Task RefreshAsync(LoopDevice loop, CancellationToken cancellationToken)
    {
        var result = await runner.RunAsync("losetup", ["--set-capacity", loop.Path], cancellationToken).ConfigureAwait(false);
        if (result.ExitCode != 0)
            throw Failed($"make {loop.Path} as large as its file", result);
    }

    /// <summary>Detaches a loop device from this file, if it is attached to it and nobody uses it.</summary>
    /// <exception cref="StorageException">FailedPrecondition when somebody does; it stays attached then.</exception>
    public async Task DetachAsync(LoopDevice loop, FileIdentity file, CancellationToken cancellationToken)
    {
        // While this handle is open the device cannot be given to another file, so what is checked is what is detached.
        var started = clock.GetTimestamp();
        using (var device = await HoldAsync(loop, started, cancellationToken).ConfigureAwait(false))
        {
            if (!TryGetStatus(device, out var info) || IdentityOf(info) != file)
                return;

            var none = 0;
            if (Libc.Ioctl(device, ClearFile, ref none) != 0)
                throw LinuxError.Last($"detach {loop.Path}");
        }

        // The kernel says yes even while somebody else has the device open, and detaches when they close it. Programs
        // that look at all devices do so for a moment; who keeps it open longer, uses it.
        while (IsAttachedTo(loop, file))
        {
            if (clock.GetElapsedTime(started) > _detachTime)
            {
                StayAttached(loop, file);
                throw InUse(loop, "a process has it open");
            }

            await Task.Delay(_detachPause, clock, cancellationToken).ConfigureAwait(false);
        }

        // The kernel keeps that for whatever the device is attached to next.
        MakeWritable(loop);
    }

    private static void MakeWritable(LoopDevice loop)
    {
        if (BlockDeviceNode.IsReadOnly(loop.Path))
            BlockDeviceNode.SetReadOnly(loop.Path, readOnly: false);
    }

    // A file system lets go of its device a moment after it was unmounted, if somebody was looking at it just then.
    private async Task<SafeFileHandle> HoldAsync(LoopDevice loop, long started, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (BlockDeviceNode.TryHold(loop.Path) is { } device)
                return device;

            if (clock.GetElapsedTime(started) > _detachTime)
                throw InUse(loop, "it is mounted or part of another device");

            await Task.Delay(_detachPause, clock, cancellationToken).ConfigureAwait(false);
        }
    }

    private static void StayAttached(LoopDevice loop, FileIdentity file)
    {
        using var device = LinuxFile.TryOpen(null, loop.Path, OpenFlags.NonBlocking, out _);
        if (device is null || !TryGetStatus(device, out var info) || IdentityOf(info) != file)
            return;

        info.Flags &= ~AutoClearFlag;
        if (Libc.Ioctl(device, SetStatus64, ref info) != 0)
            throw LinuxError.Last($"keep {loop.Path} attached");
    }

    private static bool HasFileName(LoopDevice loop, string fileName) =>
        System.IO.Path.GetFileName(loop.BackingPath) == fileName;

    private static LoopDevice? Read(string name)
    {
        try
        {
            var directory = "/sys/block/" + name;
            var number = File.ReadAllText(directory + "/dev").Trim().Split(':');
            return new LoopDevice(
                name,
                new DeviceNumber(int.Parse(number[0], CultureInfo.InvariantCulture), int.Parse(number[1], CultureInfo.InvariantCulture)),
                File.ReadAllText(directory + "/loop/backing_file").TrimEnd('\n'));
        }
        catch (IOException)
        {
            // Not attached, or detached this instant.
            return null;
        }
    }

    private static bool TryGetStatus(LoopDevice loop, out Libc.LoopInfo64 info)
    {
        info = default;
        using var device = LinuxFile.TryOpen(null, loop.Path, OpenFlags.NonBlocking, out _);
        return device is not null && TryGetStatus(device, out info);
    }

    private static bool TryGetStatus(SafeFileHandle device, out Libc.LoopInfo64 info)
    {
        info = default;
        return Libc.Ioctl(device, GetStatus64, ref info) == 0;
    }

    // The kernel's 32-bit encoding of a device number (linux/kdev_t.h, new_encode_dev).
    private static FileIdentity IdentityOf(in Libc.LoopInfo64 info) => new(
        new DeviceNumber((int)((info.Device >> 8) & 0xFFF), (int)((info.Device & 0xFF) | ((info.Device >> 12) & 0xFFF00))),
        info.Inode);

    private static StorageException InUse(LoopDevice loop, string reason) =>
        new(StorageErrorCode.FailedPrecondition, $"The loop device {loop.Path} of {loop.BackingPath} is in use: {reason}.");

    private static StorageException Failed(string what, CommandResult result) => new(
        StorageErrorCode.Internal, $"Cannot {what}: losetup ended with {result.ExitCode}: {result.Error}");
}
