using Carina.Grains.Errors;
using Carina.Silo.Backends;
using Carina.Silo.Backends.Files;
using Carina.Silo.Linux;
using Carina.Silo.Mounting;

namespace Carina.Silo.Fencing;

/// <summary>
/// Makes a device fail everything that is sent to it, whoever has it open, and lets nothing finish afterwards that was
/// sent before. Its storage is not touched.
/// </summary>
internal sealed class DeviceCut(DeviceHolders holders, TimeProvider clock)
{
    // The smallest size a loop device can be given; 0 stands for "all of the file".
    private const ulong OneSector = 512;

    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(20);

    /// <summary>Cuts the device off. Blocks for as long as what is under way takes; the caller bounds its own wait.</summary>
    /// <exception cref="StorageException">The kernel does not do it, or there is no way for this kind of device.</exception>
    public async Task CutAsync(VolumeDevice device, CancellationToken cancellationToken)
    {
        var number = new DeviceNumber(device.Major, device.Minor);
        if (MappedTable.IsMapped(number))
            await OwnThread.RunAsync(() => CutMapped(number)).WaitAsync(cancellationToken).ConfigureAwait(false);
        else if (IsLoop(number))
            await CutLoopAsync(device, number, cancellationToken).ConfigureAwait(false);
        else
        {
            throw new StorageException(
                StorageErrorCode.Internal, $"The device {device.Path} is neither mapped nor a loop device; it cannot be cut off from here.");
        }
    }

    /// <summary>Whether the device is cut off.</summary>
    public static bool IsCut(VolumeDevice device)
    {
        var number = new DeviceNumber(device.Major, device.Minor);
        return MappedTable.IsMapped(number)
            ? MappedTable.IsError(number)
            : IsLoop(number) && LoopDevices.SizeLimitOf(device.Path) == OneSector && BlockDeviceNode.IsReadOnly(device.Path);
    }

    /// <summary>Undoes <see cref="CutAsync"/> for a loop device.</summary>
    public static async Task RestoreLoopAsync(string path, bool readOnly, TimeProvider clock)
    {
        if (await OwnThread.RunAsync(() => LoopDevices.SizeLimitOf(path)).ConfigureAwait(false) == OneSector)
            await LoopDevices.SetSizeLimitAsync(path, 0, clock).ConfigureAwait(false);

        await OwnThread.RunAsync(() => BlockDeviceNode.SetReadOnly(path, readOnly)).ConfigureAwait(false);
    }

    private static void Flush(string path)
    {
        using var file = LinuxFile.Open(null, path, OpenFlags.Read | OpenFlags.NonBlocking);
        LinuxFile.Flush(file);
    }

    private static bool IsLoop(DeviceNumber number) => BlockDeviceNode.ReadSysfs(number, "loop/backing_file") is not null;

    private static void CutMapped(DeviceNumber number)
    {
        if (MappedTable.IsError(number))
            return;

        // What was written before and is only in the disk's cache: the device below is flushed, because a flush that
        // comes through the device from now on is answered by nobody.
        var below = MappedTable.DevicesBelow(number);
        MappedTable.ReplaceByError(number);
        foreach (var path in below)
            Flush(path);

        if (!MappedTable.IsError(number))
        {
            throw new StorageException(
                StorageErrorCode.Internal, $"The mapped device {number} got another table while it was cut off; try again.");
        }
    }

    // No single call makes a loop device fail (measured on 6.1 and 6.18). Read-only refuses write(2) and new mappings at
    // once, but lets dirty pages through. A size of one sector fails everything, after what is under way has ended; but a
    // process that has the device mapped may be told of success then for pages that lie behind the end, so such
    // processes are ended before.
    private async Task CutLoopAsync(VolumeDevice device, DeviceNumber number, CancellationToken cancellationToken)
    {
        BlockDeviceNode.SetReadOnly(device.Path, readOnly: true);

        // Looking at all processes takes seconds where they are many; a mounted file system has the device for itself.
        var mounts = MountTable.Read();
        var isPublished = mounts.OfNode(number).Any();
        if (isPublished && !holders.SeesAll)
        {
            throw new StorageException(
                StorageErrorCode.Internal,
                $"{device.Path} is read-only for all that is begun now, but it is published as a block device, and processes that have mapped "
                + "it already cannot be seen from here: let the driver run in the node's pid namespace (hostPID), or end its pods.");
        }

        if (isPublished || !mounts.OfFileSystemOn(number).Any())
            await EndWritersAsync(number, cancellationToken).ConfigureAwait(false);

        if (LoopDevices.SizeLimitOf(device.Path) != OneSector)
        {
            // The kernel sets the size when what is under way has ended, and lets nobody ask for the device's state before.
            // A disk that does not answer is waited for here instead, where it is in nobody's way.
            await OwnThread.RunAsync(() => Flush(device.Path)).WaitAsync(cancellationToken).ConfigureAwait(false);
            await LoopDevices.SetSizeLimitAsync(device.Path, OneSector, clock).WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        if (!IsCut(device))
        {
            throw new StorageException(
                StorageErrorCode.Internal, $"{device.Path} was changed by another program while it was cut off; try again.");
        }
    }

    // None can come in between: a device that is read-only cannot be mapped writable.
    private async Task EndWritersAsync(DeviceNumber number, CancellationToken cancellationToken)
    {
        var killed = await OwnThread.RunAsync(() => holders.KillWriters(number)).WaitAsync(cancellationToken).ConfigureAwait(false);
        while (killed.Any(DeviceHolders.IsAlive))
            await Task.Delay(_pause, clock, cancellationToken).ConfigureAwait(false);
    }
}
