using Carina.Grains.Failover;
using Carina.Grains.Nodes;
using Carina.Grains.Tests.Failover.Simulation.Engine;
using Carina.Grains.Volumes;

namespace Carina.Grains.Tests.Failover.Simulation.Cluster;

/// <summary>What the API server holds. Everything here changes at one instant, within a request.</summary>
internal sealed class SimApi(Simulator simulator)
{
    private int _uid;

    public SimTable<VolumeRecord> Volumes { get; } = new();

    public SimTable<NodeRecord> Ledgers { get; } = new();

    public SortedDictionary<string, SimNode> Nodes { get; } = new(StringComparer.Ordinal);

    public SortedDictionary<string, SimPod> Pods { get; } = new(StringComparer.Ordinal);

    public SortedDictionary<string, SimClaim> Claims { get; } = new(StringComparer.Ordinal);

    public SortedDictionary<string, SimPersistentVolume> PersistentVolumes { get; } = new(StringComparer.Ordinal);

    public SortedDictionary<string, SimLease> Leases { get; } = new(StringComparer.Ordinal);

    /// <summary>What operators annotated volumes with, by <see cref="RequestKey"/>.</summary>
    public SortedDictionary<string, VolumeRequest> Requests { get; } = new(StringComparer.Ordinal);

    /// <summary>Pods that no budget allows to be evicted.</summary>
    public HashSet<string> Protected { get; } = [];

    public static string RequestKey(string volumeId, VolumeRequestKind kind) => $"{volumeId} {kind}";

    public string NextUid() => $"uid-{++_uid}";

    /// <summary>A pod that a failover removes; the checks look at it first.</summary>
    public Action<SimPod, bool> Releasing { get; set; } = (_, _) => { };

    /// <summary>Deletes with a precondition on the uid, at once or after the kubelet has ended it; false when there is no such pod.</summary>
    public bool DeletePod(string name, string uid, bool force)
    {
        if (!Pods.TryGetValue(name, out var pod) || pod.Uid != uid)
        {
            return false;
        }

        if (force || pod.NodeName.Length == 0)
        {
            simulator.Log($"pod {name} ({uid}) is gone from {pod.NodeName}");
            Pods.Remove(name);
        }
        else if (!pod.IsDeleting)
        {
            simulator.Log($"pod {name} ({uid}) is to end on {pod.NodeName}");
            pod.IsDeleting = true;
        }

        return true;
    }
}

/// <summary>Records with versions.</summary>
internal sealed class SimTable<T>
    where T : class
{
    public SortedDictionary<string, (T Value, string ETag)> Records { get; } = new(StringComparer.Ordinal);

    public long Version { get; set; }

    /// <summary>Called with every change that took effect: before, and after.</summary>
    public Action<T?, T> Changed { get; set; } = (_, _) => { };

    /// <summary>Writes win whatever version they were made from; for mutations.</summary>
    public bool IgnoresVersions { get; set; }
}

internal sealed class SimNode(string name)
{
    public string Name => name;

    public bool IsReady { get; set; }

    public bool IsCordoned { get; set; }

    public bool IsOutOfService { get; set; }

    public bool IsEvacuated { get; set; }

    public TimeSpan LastHeartbeat { get; set; }

    public TimeSpan NotReadySince { get; set; }
}

internal sealed class SimPod(SimApp app, string uid, TimeSpan madeAt)
{
    public TimeSpan MadeAt => madeAt;

    public SimApp App => app;

    public string Name => app.Name;

    public string Uid => uid;

    public string NodeName { get; set; } = "";

    public bool HasRun { get; set; }

    public bool IsDeleting { get; set; }
}

/// <summary>What a StatefulSet makes pods of: one pod at a time, with the same name and claims.</summary>
internal sealed record SimApp(string Name, bool OptedIn, IReadOnlyList<string> Claims)
{
    public FailoverData Data { get; init; }
}

internal sealed class SimClaim(string name, string uid, string volumeName)
{
    public string Name => name;

    public string Uid { get; } = uid;

    public string VolumeName => volumeName;
}

/// <param name="Name">Its name, which is the volume's.</param>
/// <param name="VolumeId">The volume handle.</param>
/// <param name="NodeName">The node that it is bound to.</param>
/// <param name="ClaimName">The claim.</param>
/// <param name="ClaimUid">The claim's uid.</param>
/// <param name="Version">Changes with it.</param>
internal sealed record SimPersistentVolume(string Name, string VolumeId, string NodeName, string ClaimName, string ClaimUid, string Version);

/// <param name="Renewal">What it says.</param>
/// <param name="Version">Changes with it.</param>
internal sealed record SimLease(Grains.Agents.NodeLeaseRenewal Renewal, long Version);
