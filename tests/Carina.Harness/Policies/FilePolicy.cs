using Carina.Harness.Disks;
using Carina.Harness.Processes;

namespace Carina.Harness.Policies;

/// <summary>Policy FILE: each node has an ext4 disk, and its pool is a directory on it.</summary>
internal sealed class FilePolicy : StoragePolicy
{
    public override string Name => "FILE";

    public override string Pool => "carina-file";

    public override async Task<NodeStorage> PrepareAsync(
        string directory, IReadOnlyList<long> sizes, CancellationToken cancellationToken)
    {
        if (sizes.Count != 1)
        {
            throw new HarnessException($"A FILE pool is one directory on one disk; {sizes.Count} disks were asked for.");
        }

        var disk = await LoopDisk.CreateAsync(Path.Combine(directory, "disk0.img"), sizes[0], cancellationToken);
        var storage = new FileStorage(disk, Path.Combine(directory, "disk0"));
        try
        {
            await storage.MountAsync(cancellationToken);
            return storage;
        }
        catch
        {
            await storage.RemoveAsync(CancellationToken.None);
            throw;
        }
    }

    private sealed class FileStorage(LoopDisk disk, string mountPoint) : NodeStorage
    {
        private readonly string _pool = Path.Combine(mountPoint, "pool");

        public override IReadOnlyList<LoopDisk> Disks { get; } = [disk];

        public override IReadOnlyList<string> Patterns { get; } = [Path.Combine(mountPoint, "pool")];

        public override IReadOnlyList<string> SiloArguments => [];

        public async Task MountAsync(CancellationToken cancellationToken)
        {
            // No blocks kept for root: the driver's reserve is the only one.
            await Command.RunAsync("mkfs.ext4", ["-q", "-F", "-m", "0", disk.Device], cancellationToken);
            Directory.CreateDirectory(mountPoint);
            await Command.RunAsync("mount", ["-t", "ext4", disk.Device, mountPoint], cancellationToken);
            Directory.CreateDirectory(_pool);
        }

        // Files of volumes bear the handle; what the driver keeps beside them does not count.
        public override Task<IReadOnlyDictionary<string, long>> ListVolumesAsync(CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyDictionary<string, long>>(
                new DirectoryInfo(_pool).EnumerateFiles("*", SearchOption.AllDirectories)
                    .Where(file => file.Name.Contains("volume-", StringComparison.Ordinal))
                    .ToDictionary(file => Path.GetRelativePath(_pool, file.FullName), file => file.Length));

        public override async Task RemoveAsync(CancellationToken cancellationToken)
        {
            foreach (var (device, file) in LoopDisk.FindAll())
            {
                if (file.StartsWith(_pool + "/", StringComparison.Ordinal))
                {
                    await LoopDisk.DetachAsync(device, file, cancellationToken);
                }
            }

            if (MountTable.Below(mountPoint).Any(m => m.MountPoint == mountPoint))
            {
                await Command.RunAsync("umount", [mountPoint], cancellationToken);
            }

            await disk.RemoveAsync(cancellationToken);
        }
    }
}
