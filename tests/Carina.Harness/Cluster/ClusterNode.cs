using Carina.Harness.Kubelet;
using Carina.Harness.Policies;

namespace Carina.Harness.Cluster;

/// <summary>A node: its silo, its disks and its kubelet.</summary>
public sealed class ClusterNode : ClusterMember
{
    internal ClusterNode(string name, string directory, MemberLaunch launch, NodeStorage storage)
        : base(name, directory, launch)
    {
        Storage = storage;
        Kubelet = new(KubeletRoot(directory), Csi);
    }

    public NodeStorage Storage { get; }

    public KubeletSim Kubelet { get; }

    /// <summary>Where the driver may mount: below kubelet's root, and in passing below its own run directory.</summary>
    internal IReadOnlyList<string> MountRoots => [Kubelet.Root, RunDirectory(Directory)];

    internal static string RunDirectory(string directory) => Path.Combine(directory, "run");

    internal static string KubeletRoot(string directory) => Path.Combine(directory, "kubelet");
}
