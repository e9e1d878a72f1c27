using Carina.Grains.Errors;
using Carina.Silo.Backends;
using Carina.Silo.Disks;
using Carina.Silo.Linux;
using Carina.Silo.Processes;

namespace Carina.Silo.Mounting;

/// <summary>Makes, checks and grows file systems on volumes.</summary>
internal sealed partial class FileSystems(
    ICommandRunner runner, BlankProbe probe, MountCalls calls, TimeProvider clock, ILogger<FileSystems> logger)
{
    private const string Default = "ext4";

    /// <summary>The type asked for in its canonical form; empty stands for ext4, as in Carina.</summary>
    /// <exception cref="StorageException">InvalidArgument for a type that is not supported.</exception>
    public static string Canonical(string fileSystem) => fileSystem switch
    {
        "" => Default,
        "ext4" or "xfs" or "btrfs" => fileSystem,
        _ => throw new StorageException(
            StorageErrorCode.InvalidArgument, $"The file system '{fileSystem}' is not supported; use ext4, xfs or btrfs."),
    };

    /// <summary>
    /// Leaves a sound file system of this type on the device: makes one if the device is blank, checks the one that is
    /// there otherwise. Anything else on it is left untouched.
    /// </summary>
    /// <param name="wasFormatted">A file system was made on it before, so it is not new, whatever it looks like.</param>
    /// <exception cref="StorageException">FailedPrecondition when it holds something else, or damage that needs a person.</exception>
    public async Task PrepareAsync(
        string device, string fileSystem, bool wasFormatted, CancellationToken cancellationToken)
    {
        var unfinished = UnfinishedFormat.IsIn(await ReadHeadAsync(device, cancellationToken).ConfigureAwait(false));
        var signature = unfinished ? null : await probe.FindSignatureAsync(device, cancellationToken).ConfigureAwait(false);
        if (signature == fileSystem)
        {
            await CheckAsync(device, fileSystem, cancellationToken).ConfigureAwait(false);
        }
        else if (signature is not null)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"The volume's device {device} holds {signature}, but {fileSystem} is asked for. Nothing was changed: ask for what it holds.");
        }
        else if (wasFormatted)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"The volume's device {device} had a file system, and none can be recognised on it any more. It is not formatted: "
                + "copy the device, then repair it by hand (e2fsck -b, xfs_repair, btrfs rescue).");
        }
        else
        {
            if (!unfinished)
                await DemandBlankAsync(device, cancellationToken).ConfigureAwait(false);

            LogFormatting(logger, device, fileSystem, unfinished);
            await MakeAsync(device, fileSystem, unfinished, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Grows the file system to its device; one that is as large already is left as it is.</summary>
    /// <param name="mountPoint">Where it is mounted writable.</param>
    public async Task GrowAsync(VolumeDevice device, string fileSystem, string mountPoint, CancellationToken cancellationToken)
    {
        if (fileSystem == "ext4")
        {
            await GrowExt4Async(device, mountPoint).ConfigureAwait(false);
            return;
        }

        (string Program, string[] Arguments) command = fileSystem switch
        {
            "xfs" => ("xfs_growfs", ["-d", mountPoint]),
            "btrfs" => ("btrfs", ["filesystem", "resize", "max", mountPoint]),
            _ => throw new StorageException(
                StorageErrorCode.FailedPrecondition, $"A file system of type {fileSystem} on {device.Path} cannot be grown."),
        };
        var result = await runner.RunAsync(command.Program, command.Arguments, cancellationToken).ConfigureAwait(false);
        if (result.ExitCode != 0)
            throw Failed($"grow the {fileSystem} on {device.Path}", command.Program, result);
    }

    // resize2fs does the same, but through whichever mount of the device it finds, and fails when that is a read-only one.
    private async Task GrowExt4Async(VolumeDevice device, string mountPoint)
    {
        using var root = LinuxFile.Open(null, mountPoint, OpenFlags.Directory | OpenFlags.NoFollow);
        var size = Ext4Size.Read(device.Path);
        var blocks = device.Bytes / size.BlockBytes;

        // Growing asks for CAP_SYS_RESOURCE even where there is nothing to grow.
        if (size.Blocks < blocks)
            await calls.ResizeExt4Async(root, (ulong)blocks, mountPoint).ConfigureAwait(false);
    }

    // What was formatted once and then damaged must not be taken for new. lvcreate zeroes the first 4 KiB of each new
    // volume (lvcreate(8), --zero) and a new file is all zeros, so whatever is there was written by the volume's owner.
    private async Task DemandBlankAsync(string device, CancellationToken cancellationToken)
    {
        var started = clock.GetTimestamp();
        var content = await probe.FindContentAsync(device, UnfinishedFormat.HeadBytes, 0, cancellationToken).ConfigureAwait(false);
        while (content is { IsHeld: true } && clock.GetElapsedTime(started) < MountCalls.BusyTime)
        {
            await Task.Delay(MountCalls.BusyPause, clock, cancellationToken).ConfigureAwait(false);
            content = await probe.FindContentAsync(device, UnfinishedFormat.HeadBytes, 0, cancellationToken).ConfigureAwait(false);
        }

        if (content is not null)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"The volume's device {device} is neither blank nor a file system: {content.Description}. It is not formatted; "
                + "if a file system on it was damaged, repair it by hand.");
        }
    }

    private async Task MakeAsync(string device, string fileSystem, bool overwrite, CancellationToken cancellationToken)
    {
        string[] arguments = fileSystem switch
        {
            // One -F: do not ask. (Two would format even a mounted device.) No blocks kept for root: it is the pod's alone.
            // With blocks of 4 KiB, which small volumes would not get by themselves, mkfs writes nothing into the first
            // 4 KiB until its very end, so an interrupted one leaves a blank device.
            "ext4" => ["-q", "-F", "-m0", "-b", "4096", device],
            _ => overwrite ? ["-q", "-f", device] : ["-q", device],
        };
        var result = await RunOnDeviceAsync("mkfs." + fileSystem, arguments, cancellationToken).ConfigureAwait(false);
        if (result.ExitCode != 0)
            throw Failed($"make a file system on {device}", "mkfs." + fileSystem, result);
    }

    private async Task CheckAsync(string device, string fileSystem, CancellationToken cancellationToken)
    {
        // xfs and btrfs recover when they are mounted, and their checkers are not for automatic use (fsck.xfs(8)).
        if (fileSystem != "ext4")
            return;

        var result = await RunOnDeviceAsync("e2fsck", ["-p", device], cancellationToken).ConfigureAwait(false);

        // A sum of 1: corrected, 2: reboot if mounted (it is not), 4: errors left, 8 and more: it could not run (e2fsck(8)).
        if ((result.ExitCode & ~3) == 0)
        {
            if (result.ExitCode != 0)
                LogRepaired(logger, device, result.Output);

            return;
        }

        if ((result.ExitCode & ~7) != 0)
            throw Failed($"check the ext4 on {device}", "e2fsck", result);

        throw new StorageException(
            StorageErrorCode.FailedPrecondition,
            $"The ext4 on {device} has damage that cannot be repaired without a decision. Copy the device, then run "
            + $"'e2fsck {device}' on the node. It said: {Shorten(result.Output + result.Error)}");
    }

    // These programs want the device for themselves, which somebody who looks at all devices may have for a moment.
    private async Task<CommandResult> RunOnDeviceAsync(
        string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        var started = clock.GetTimestamp();
        while (true)
        {
            var result = await runner.RunAsync(program, arguments, cancellationToken).ConfigureAwait(false);
            var said = result.Error + result.Output;
            var isBusy = result.ExitCode != 0
                && (said.Contains("in use", StringComparison.Ordinal) || said.Contains("busy", StringComparison.Ordinal));
            if (!isBusy || clock.GetElapsedTime(started) > MountCalls.BusyTime)
                return result;

            await Task.Delay(MountCalls.BusyPause, clock, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<byte[]> ReadHeadAsync(string device, CancellationToken cancellationToken)
    {
        using var file = LinuxFile.Open(null, device, OpenFlags.Read);
        var head = new byte[UnfinishedFormat.HeadBytes];
        try
        {
            var read = await RandomAccess.ReadAsync(file, head, 0, cancellationToken).ConfigureAwait(false);
            return read == head.Length
                ? head
                : throw new StorageException(StorageErrorCode.Internal, $"The device {device} is smaller than a file system can be.");
        }
        catch (IOException e)
        {
            throw new StorageException(StorageErrorCode.Internal, $"The device {device} cannot be read: {e.Message}", e);
        }
    }

    private static StorageException Failed(string what, string program, CommandResult result) => new(
        StorageErrorCode.Internal,
        $"Cannot {what}: {program} ended with {result.ExitCode}: {Shorten(result.Error.Length > 0 ? result.Error : result.Output)}");

    private static string Shorten(string text) => text.Length > 600 ? text[..600] + "…" : text.Trim();

    [LoggerMessage(Level = LogLevel.Information, Message = "Making {FileSystem} on {Device} (after an unfinished attempt: {Unfinished})")]
    private static partial void LogFormatting(ILogger logger, string device, string fileSystem, bool unfinished);

    [LoggerMessage(Level = LogLevel.Warning, Message = "e2fsck corrected {Device}: {Output}")]
    private static partial void LogRepaired(ILogger logger, string device, string output);
}
