using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Backends;
using Carina.Silo.Linux;
using Carina.Silo.Mounting;

namespace Carina.Silo.Fencing;

/// <summary>Takes the dead file system of a fenced volume away, so that the next mount is not of it again.</summary>
internal sealed class FenceLift(MountCalls calls, NodeVolumesOptions options, TimeProvider clock)
{
    private static readonly TimeSpan _holdTime = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(50);

    /// <summary>Unmounts the file system below the allowed roots, and waits until nobody holds it.</summary>
    /// <exception cref="StorageException">FailedPrecondition while somebody does.</exception>
    public async Task ReleaseAsync(DiskVolumeKey key, VolumeDevice device, CancellationToken cancellationToken)
    {
        // A mount point that is below another one, or hidden by one, comes first.
        foreach (var mount in VolumeMounts.Read(device, options.AllowedRoots).FileSystem.Reverse())
        {
            using var path = SafePath.TryOpen(mount.MountPoint, RootsOf(mount));
            if (path?.FindMount()?.Id != mount.Id)
                continue;

            try
            {
                await path.UnmountAsync(calls).WaitAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (StorageException e) when (e.Code == StorageErrorCode.FailedPrecondition)
            {
                // Whoever uses it only gets errors from it.
                await path.DetachAsync(calls).WaitAsync(cancellationToken).ConfigureAwait(false);
            }
        }

        // As long as anybody uses a file of it, in whatever namespace, the kernel would mount the dead one again.
        var started = clock.GetTimestamp();
        while (true)
        {
            using (var held = BlockDeviceNode.TryHold(device.Path))
            {
                if (held is not null)
                    return;
            }

            if (clock.GetElapsedTime(started) > _holdTime)
            {
                throw new StorageException(
                    StorageErrorCode.FailedPrecondition,
                    $"Volume {key.VolumeId} stays fenced: its dead file system on {device.Path} is still in use. Delete the pods that had it "
                    + $"mounted, or end these processes: {string.Join(", ", UsersOf(device))}. Then try again.");
            }

            await Task.Delay(_pause, clock, cancellationToken).ConfigureAwait(false);
        }
    }

    // The kernel has resolved all links in a mount point.
    private string[] RootsOf(MountEntry mount) =>
        [.. options.AllowedRoots.Concat(options.AllowedRoots.Select(RealRoot)).Where(root =>
            mount.MountPoint.StartsWith(root.TrimEnd('/') + "/", StringComparison.Ordinal))];

    private static string RealRoot(string root)
    {
        using var directory = LinuxFile.TryOpen(null, root, OpenFlags.PathOnly | OpenFlags.Directory, out _);
        return directory is null ? root : LinuxFile.RealPathOf(directory);
    }

    // Those in whose mount namespace it is mounted; who only has a file open, is not found this way.
    private static IEnumerable<string> UsersOf(VolumeDevice device)
    {
        var number = VolumeDevices.NumberOf(device);
        var users = new List<string>();
        foreach (var id in DeviceHolders.Processes())
        {
            try
            {
                if (MountTable.Parse(File.ReadLines($"/proc/{id}/mountinfo")).OfFileSystemOn(number).Any()
                    || Directory.EnumerateFileSystemEntries($"/proc/{id}/fd").Any(fd => IsOn(fd, number)))
                {
                    users.Add($"{id} ({File.ReadAllText($"/proc/{id}/comm").Trim()})");
                }
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // It has ended, which is as well.
            }
        }

        return users.Count > 0 ? users.Take(10) : ["none was found that has it mounted or a file of it open"];
    }

    private static bool IsOn(string descriptor, DeviceNumber device)
    {
        using var file = new FileInfo(descriptor).LinkTarget is ['/', ..]
            ? LinuxFile.TryOpen(null, descriptor, OpenFlags.PathOnly, out _)
            : null;
        return file is not null && LinuxFile.TryStatus(file, out _)?.Device == device;
    }
}
