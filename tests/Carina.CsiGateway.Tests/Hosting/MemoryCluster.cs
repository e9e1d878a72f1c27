using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Carina.Grains.Configuration;
using Carina.Grains.Nodes;
using Carina.Grains.Placement;
using Carina.Grains.Volumes;

namespace Carina.CsiGateway.Tests.Hosting;

/// <summary>
/// Stands in for the grains: volumes in memory, nodes by name. Enough to see what the gateway asks; the real grains
/// have their own tests, and both together are tested end to end.
/// </summary>
internal sealed class MemoryCluster
{
    private int _calls;

    public MemoryCluster(params string[] nodes)
    {
        Nodes = nodes;
        GrainFactory = DispatchProxy.Create<IGrainFactory, GrainFactoryProxy>();
        ((GrainFactoryProxy)GrainFactory).Cluster = this;
    }

    public string[] Nodes { get; }

    public ConcurrentDictionary<string, VolumeRecord> Volumes { get; } = new();

    public ConcurrentDictionary<string, string> Problems { get; } = new();

    /// <summary>Creations as they arrived, newest last.</summary>
    public ConcurrentQueue<CreateVolume> Created { get; } = new();

    public CapacityQuery? LastQuery { get; set; }

    public AvailableCapacity Capacity { get; set; } = new(30L << 30, 20L << 30, 4L << 20);

    /// <summary>What the node's ledger has.</summary>
    public NodeCapacity NodeCapacity { get; set; } = new("", [], new Dictionary<string, string>());

    /// <summary>When set, every grain call ends with it.</summary>
    public Func<CancellationToken, Task>? Disturb { get; set; }

    public int Calls => Volatile.Read(ref _calls);

    public IGrainFactory GrainFactory { get; }

    public async Task EnterAsync(CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _calls);
        cancellationToken.ThrowIfCancellationRequested();
        if (Disturb is { } disturb)
        {
            await disturb(cancellationToken);
        }
    }

    /// <summary>A volume that exists without anybody having called.</summary>
    public VolumeRecord Add(string name, VolumeAccess access = VolumeAccess.FileSystem, string node = CsiTestHost.NodeName)
    {
        var id = VolumeIds.FromName(name);
        return Volumes[id] = new VolumeRecord
        {
            VolumeId = id,
            Name = name,
            State = VolumeState.Ready,
            NodeName = node,
            Pool = "carina-lvm",
            Policy = PoolPolicy.Lvm,
            Bytes = 1L << 30,
            TargetBytes = 1L << 30,
            Generation = 7,
            Access = access,
            FileSystem = access is VolumeAccess.Block ? "" : "ext4",
            DevicePath = "/dev/carina-lvm/" + id,
        };
    }

    private object Resolve(Type grain, object key) => key switch
    {
        string id when grain == typeof(IVolumeGrain) => new MemoryVolumeGrain(this, id),
        string when grain == typeof(INodeGrain) => new MemoryNodeGrain(this),
        0L when grain == typeof(IPlacementGrain) => new MemoryPlacementGrain(this),
        0L when grain == typeof(IVolumeCatalogGrain) => new MemoryCatalogGrain(this),
        _ => throw new NotSupportedException($"No test asks for {grain.Name} with key {key}."),
    };

    // A proxy, because IGrainFactory has two dozen members of which the gateway uses one.
    [SuppressMessage("Performance", "CA1852:Seal internal types", Justification = "The proxy is a subtype made at run time.")]
    internal class GrainFactoryProxy : DispatchProxy
    {
        public MemoryCluster Cluster { get; set; } = null!;

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
            targetMethod is { Name: nameof(IGrainFactory.GetGrain), IsGenericMethod: true }
                ? Cluster.Resolve(targetMethod.GetGenericArguments()[0], args![0]!)
                : throw new NotSupportedException($"No test calls {targetMethod?.Name}.");
    }
}
