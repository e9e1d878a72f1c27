using Carina.Harness.Processes;

namespace Carina.Harness.Disks;

/// <summary>A disk for a node: a sparse file behind a loop device (losetup(8)).</summary>
public sealed class LoopDisk
{
    private static readonly TimeSpan _detachTime = TimeSpan.FromSeconds(10);

    private LoopDisk(string imagePath, string device)
    {
        (ImagePath, Device) = (imagePath, device);
    }

    public string ImagePath { get; }

    /// <summary>Path of the loop device, <c>/dev/loop7</c>.</summary>
    public string Device { get; }

    /// <summary>Makes the file and attaches it.</summary>
    public static async Task<LoopDisk> CreateAsync(string imagePath, long bytes, CancellationToken cancellationToken)
    {
        using (var handle = File.OpenHandle(imagePath, FileMode.CreateNew, FileAccess.Write))
        {
            RandomAccess.SetLength(handle, bytes);
        }

        var device = (await Command.RunAsync("losetup", ["--find", "--show", imagePath], cancellationToken)).Trim();
        await SetWritableAsync(device, cancellationToken);
        return new(imagePath, device);
    }

    /// <summary>Loop devices of this kernel with their backing files; those whose file was deleted included.</summary>
    public static IReadOnlyDictionary<string, string> FindAll()
    {
        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var entry in new DirectoryInfo("/sys/block").EnumerateFileSystemInfos("loop*"))
        {
            if (BackingFile(entry.Name) is { } file)
            {
                found["/dev/" + entry.Name] = file;
            }
        }

        return found;
    }

    /// <summary>Detaches it and removes the file, after making sure that the device still is this disk.</summary>
    public async Task RemoveAsync(CancellationToken cancellationToken)
    {
        await DetachAsync(Device, ImagePath, cancellationToken);
        File.Delete(ImagePath);
    }

    /// <summary>Detaches a loop device if it has this backing file.</summary>
    public static async Task DetachAsync(string device, string backingFile, CancellationToken cancellationToken)
    {
        var name = Path.GetFileName(device);
        if (BackingFile(name) != backingFile)
        {
            return;
        }

        await Command.RunAsync("losetup", ["--detach", device], cancellationToken);

        // The kernel lets go when the last one has closed it.
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_detachTime);
        while (BackingFile(name) == backingFile)
        {
            if (limit.IsCancellationRequested)
            {
                throw new HarnessException($"{device} ({backingFile}) is still in use; it was not detached.");
            }

            await Task.Delay(20, cancellationToken);
        }

        await SetWritableAsync(device, cancellationToken);
    }

    // A volume that was cut off leaves its device read-only, which the kernel keeps for the next file.
    private static Task<string> SetWritableAsync(string device, CancellationToken cancellationToken) =>
        Command.RunAsync("blockdev", ["--setrw", device], cancellationToken);

    private static string? BackingFile(string name)
    {
        try
        {
            return File.ReadAllText($"/sys/block/{name}/loop/backing_file").TrimEnd('\n');
        }
        catch (IOException)
        {
            // Not attached, or detached in this moment.
            return null;
        }
    }
}
