using Carina.Harness.Cluster;
using Carina.Harness.Disks;
using Carina.Harness.Policies;
using Carina.Harness.Processes;

namespace Carina.Harness.Leftovers;

/// <summary>Finds what is left of volumes and of whole laboratories by asking the kernel, and takes it away.</summary>
internal static class LeftoverInspector
{
    /// <summary>Traces of volumes in a cluster that should have none any more.</summary>
    public static async Task<IReadOnlyList<string>> FindOfDriverAsync(
        EmbeddedCluster cluster, CancellationToken cancellationToken)
    {
        var found = new List<string>();
        var disks = cluster.Nodes.SelectMany(n => n.Storage.Disks).Select(d => d.ImagePath).ToHashSet();
        foreach (var node in cluster.Nodes)
        {
            found.AddRange((await node.Storage.ListVolumesAsync(cancellationToken))
                .Select(volume => $"{node.Name}: volume {volume.Key} on disk"));
            found.AddRange(node.MountRoots.SelectMany(MountTable.Below).Select(m => $"{node.Name}: mount {m.MountPoint}"));
            found.AddRange(Directory.EnumerateFiles(node.Kubelet.Root, "*", SearchOption.AllDirectories)
                .Select(file => $"{node.Name}: file {file}"));
            found.AddRange(node.Storage.Disks.SelectMany(Holders).Select(holder => $"{node.Name}: device {holder}"));
        }

        found.AddRange(LoopDisk.FindAll()
            .Where(l => IsBelow(l.Value, cluster.Directory) && !disks.Contains(l.Value))
            .Select(l => $"loop device {l.Key} of {l.Value}"));
        return found;
    }

    /// <summary>Unmounts, detaches and removes everything of a laboratory whose processes have ended.</summary>
    /// <returns>What went wrong, and what is left.</returns>
    public static async Task<IReadOnlyList<string>> RemoveAsync(
        string directory, IEnumerable<string> mountRoots, IEnumerable<NodeStorage> storages)
    {
        var problems = new List<string>();
        await UnmountAsync(problems, mountRoots);
        foreach (var storage in storages)
        {
            await TryAsync(problems, () => storage.RemoveAsync(CancellationToken.None));
        }

        // Never through a mount: what is mounted is not the laboratory's own.
        if (MountTable.Below(directory).Count == 0)
        {
            await TryAsync(problems, () => Task.Run(() => Directory.Delete(directory, recursive: true)));
        }

        problems.AddRange(Find(directory));
        return problems;
    }

    /// <summary>Takes everything away from below kubelets' roots, without asking the driver.</summary>
    public static async Task<IReadOnlyList<string>> ClearAsync(IReadOnlyList<string> kubeletRoots)
    {
        var problems = new List<string>();
        await UnmountAsync(problems, kubeletRoots);
        foreach (var root in kubeletRoots.Where(r => MountTable.Below(r).Count == 0))
        {
            foreach (var directory in Directory.EnumerateDirectories(root))
            {
                await TryAsync(problems, () => Task.Run(() => Directory.Delete(directory, recursive: true)));
            }
        }

        return problems;
    }

    /// <summary>Traces of a laboratory that should be gone.</summary>
    public static IReadOnlyList<string> Find(string directory) =>
    [
        .. MountTable.Below(directory).Select(m => $"mount {m.MountPoint}"),
        .. LoopDisk.FindAll().Where(l => IsBelow(l.Value, directory)).Select(l => $"loop device {l.Key} of {l.Value}"),
        .. LaboratoryMark.FindProcesses(directory).Select(p => $"process {p}"),
        .. Directory.Exists(directory) ? new[] { $"directory {directory}" } : [],
    ];

    private static async Task UnmountAsync(List<string> problems, IEnumerable<string> roots)
    {
        foreach (var mount in roots.SelectMany(MountTable.Below).Reverse())
        {
            await TryAsync(problems, () => Command.RunAsync("umount", [mount.MountPoint], CancellationToken.None));
        }
    }

    // Device-mapper devices on a disk (/sys/block/loop7/holders/dm-3).
    private static IEnumerable<string> Holders(LoopDisk disk) =>
        new DirectoryInfo($"/sys/block/{Path.GetFileName(disk.Device)}/holders").EnumerateFileSystemInfos()
            .Select(h => $"{h.Name} on {disk.Device}");

    private static bool IsBelow(string path, string directory) =>
        path.StartsWith(directory + "/", StringComparison.Ordinal);

    private static async Task TryAsync(List<string> problems, Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (Exception exception) when (exception is HarnessException or IOException or UnauthorizedAccessException)
        {
            problems.Add(exception.Message);
        }
    }
}
