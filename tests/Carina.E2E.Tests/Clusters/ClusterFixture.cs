using Carina.Harness.Cluster;
using Carina.Harness.Policies;

namespace Carina.E2E.Tests.Clusters;

/// <summary>A running cluster that the tests of a collection share. At the end nothing of it may be left.</summary>
public abstract class ClusterFixture(StoragePolicy policy) : IAsyncLifetime
{
    private EmbeddedCluster? _cluster;

    public EmbeddedCluster Cluster => _cluster ?? throw new InvalidOperationException("The cluster is not started.");

    /// <summary>What each node has to give while there are no volumes, by node.</summary>
    public IReadOnlyDictionary<string, long> EmptyCapacities { get; private set; } = new Dictionary<string, long>();

    /// <summary>The cluster to make.</summary>
    protected abstract ClusterOptions Describe(StoragePolicy policy);

    public virtual async ValueTask InitializeAsync()
    {
        _cluster = await EmbeddedCluster.StartAsync(Describe(policy), TestContext.Current.CancellationToken);
        EmptyCapacities = await GetCapacitiesAsync();
    }

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (_cluster is not null)
        {
            Assert.Empty(await _cluster.RemoveAsync());
        }
    }

    /// <summary>What each node has to give now.</summary>
    public async Task<IReadOnlyDictionary<string, long>> GetCapacitiesAsync()
    {
        var capacities = new Dictionary<string, long>();
        foreach (var node in Cluster.Nodes)
        {
            capacities[node.Name] = await Cluster.GetCapacityAsync(node.Name, TestContext.Current.CancellationToken);
        }

        return capacities;
    }
}

/// <summary>Three nodes with 3 GiB each.</summary>
public abstract class ThreeNodes(StoragePolicy policy) : ClusterFixture(policy)
{
    protected override ClusterOptions Describe(StoragePolicy policy) =>
        new() { Policy = policy, Nodes = NodeSpec.Many(3, 3L << 30) };
}

public sealed class ThreeFileNodes() : ThreeNodes(StoragePolicy.File);

public sealed class ThreeLvmNodes() : ThreeNodes(StoragePolicy.Lvm);

/// <summary>Tests that share three nodes of policy FILE.</summary>
[CollectionDefinition(Name)]
public sealed class FileCollection : ICollectionFixture<ThreeFileNodes>
{
    public const string Name = "three FILE nodes";
}

/// <summary>Tests that share three nodes of policy LVM.</summary>
[CollectionDefinition(Name)]
public sealed class LvmCollection : ICollectionFixture<ThreeLvmNodes>
{
    public const string Name = "three LVM nodes";
}

/// <summary>The trait of tests that need more of the kernel than every machine has; ./test finds them one that has it.</summary>
public static class Kernel
{
    public const string Trait = "Kernel";

    /// <summary>A kernel with device-mapper.</summary>
    public const string DeviceMapper = "device-mapper";

    /// <summary>Root may grow a mounted ext4, which needs CAP_SYS_RESOURCE: not in every container or virtual machine.</summary>
    public const string GrowingExt4 = "growing-ext4";
}
