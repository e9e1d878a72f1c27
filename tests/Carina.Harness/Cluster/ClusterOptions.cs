using Carina.Harness.Policies;

namespace Carina.Harness.Cluster;

/// <summary>A node to make.</summary>
/// <param name="Name">Its name.</param>
/// <param name="DiskBytes">Size of each of its disks in bytes; sparse.</param>
public sealed record NodeSpec(string Name, params IReadOnlyList<long> DiskBytes)
{
    /// <summary>Nodes <c>node-1</c>, <c>node-2</c>, ... with a disk each.</summary>
    public static IReadOnlyList<NodeSpec> Many(int count, long diskBytes) =>
        [.. Enumerable.Range(1, count).Select(i => new NodeSpec($"node-{i}", diskBytes))];
}

/// <summary>An embedded cluster to make.</summary>
public sealed record ClusterOptions
{
    public required StoragePolicy Policy { get; init; }

    public required IReadOnlyList<NodeSpec> Nodes { get; init; }

    /// <summary>The assembly that plays the driver's processes; the released one unless a test has another.</summary>
    public string SiloAssembly { get; init; } = BuiltAssemblies.Silo;

    /// <summary>Environment of all processes, on top of this process' own.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary><c>spreadout</c> or <c>binpack</c>.</summary>
    public string Strategy { get; init; } = "spreadout";

    /// <summary>Most volumes a node may have published.</summary>
    public int MaxVolumesPerNode { get; init; } = 1000;

    /// <summary>Directories below which paths are accepted, beside each node's kubelet directory.</summary>
    public IReadOnlyList<string> MorePathRoots { get; init; } = [];

    /// <summary>The Kubernetes API as store; null means the embedded state file.</summary>
    public KubernetesStore? Kubernetes { get; init; }

    /// <summary>A node that can be cut off from the others; null leaves all on loopback.</summary>
    public NodeCable? Cable { get; init; }

    /// <summary>Controllers beside the first.</summary>
    public int MoreControllers { get; init; }

    /// <summary>Fields of <c>failover</c> in <c>config.json</c>, as JSON.</summary>
    public string Failover { get; init; } = "{}";

    /// <summary>
    /// Value of <c>--probe-timeout</c>. All members share two cores, or one, with whatever else runs: a slow one is not dead.
    /// </summary>
    public TimeSpan ProbeTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long all processes may take until they are ready and their pools are discovered.</summary>
    public TimeSpan StartTimeout { get; init; } = TimeSpan.FromMinutes(3);

    /// <summary>Value of <c>reserve</c> of each pool.</summary>
    public string Reserve { get; init; } = "64Mi";
}
