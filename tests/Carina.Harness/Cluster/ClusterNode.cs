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

    internal static string KubeletRoot(string directory) => Path.Combine(directory, "kubelet");
}
