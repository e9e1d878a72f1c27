using Carina.E2E.Tests.Clusters;
using Carina.Grains;
using Carina.Harness.Cluster;
using Carina.Harness.Policies;
using Carina.Harness.Sidecars;
using Csi.V1;
using Grpc.Core;

namespace Carina.E2E.Tests.Capacity;

/// <summary>Where volumes go with strategy spreadout, and where topology sends them.</summary>
public abstract class PlacementTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    [Fact]
    public async Task Spreadout_takes_the_node_with_most_room()
    {
        var nodes = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            nodes.Add((await ProvisionAsync(new() { Bytes = 64 * MiB })).Node);
        }

        Assert.Equal(Cluster.Nodes.Select(n => n.Name), nodes.Order());
    }

    [Fact]
    public async Task The_first_preferred_node_that_is_allowed_gets_the_volume()
    {
        var volume = await CreateAsync(Call(requisite: ["node-1", "node-3"], preferred: ["node-3", "node-1"]));
        Assert.Equal("node-3", volume.AccessibleTopology.Single().Segments[CarinaNames.TopologyKey]);
    }

    [Fact]
    public async Task A_full_node_gives_way_to_the_next_preferred_one()
    {
        await ProvisionAsync(new() { Bytes = EmptyCapacities["node-3"], Block = true }, "node-3");
        var volume = await CreateAsync(Call(requisite: ["node-1", "node-3"], preferred: ["node-3", "node-1"]));
        Assert.Equal("node-1", volume.AccessibleTopology.Single().Segments[CarinaNames.TopologyKey]);
    }

    [Fact]
    public async Task A_node_that_is_not_there_has_no_room() => await RequireErrorAsync(
        StatusCode.ResourceExhausted, () => CreateAsync(Call(requisite: ["node-9"], preferred: [])));

    [Fact]
    public async Task The_answer_says_where_the_volume_is()
    {
        var volume = await ProvisionAsync(new() { Bytes = 64 * MiB, Pool = Cluster.Pool });
        Assert.Equal(volume.Node, volume.Attributes[CarinaNames.Node]);
        Assert.Equal(Cluster.Pool, volume.Attributes[CarinaNames.DiskGroup]);
        Assert.NotEmpty(await Cluster.Node(volume.Node).Storage.ListVolumesAsync(Stop));
    }

    private static CreateVolumeRequest Call(IReadOnlyList<string> requisite, IReadOnlyList<string> preferred)
    {
        var call = ProvisionerSim.ToCall(new() { Bytes = 64 * MiB }, selectedNode: null);
        call.AccessibilityRequirements = new()
        {
            Requisite = { requisite.Select(ToTopology) },
            Preferred = { preferred.Select(ToTopology) },
        };
        return call;
    }

    private static Topology ToTopology(string node) => new() { Segments = { [CarinaNames.TopologyKey] = node } };
}

/// <summary>Strategy binpack, on nodes of different size.</summary>
public abstract class BinpackTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    [Fact]
    public async Task Binpack_fills_the_smallest_node_that_has_room()
    {
        Assert.True(EmptyCapacities["small"] < EmptyCapacities["large"]);
        var request = new VolumeRequest { Bytes = 96 * MiB };
        var fitting = EmptyCapacities["small"] / request.Bytes;
        for (var i = 0; i < fitting; i++)
        {
            Assert.Equal("small", (await ProvisionAsync(request with { Name = $"pvc-{i}" })).Node);
        }

        Assert.Equal("large", (await ProvisionAsync(request with { Name = "pvc-more" })).Node);
    }
}

[Collection(FileCollection.Name)]
public sealed class FilePlacementTests(ThreeFileNodes fixture) : PlacementTests(fixture);

[Collection(LvmCollection.Name)]
[Trait(Kernel.Trait, Kernel.DeviceMapper)]
public sealed class LvmPlacementTests(ThreeLvmNodes fixture) : PlacementTests(fixture);

/// <summary>A small and a large node with strategy binpack.</summary>
public abstract class UnequalNodes(StoragePolicy policy) : ClusterFixture(policy)
{
    protected override ClusterOptions Describe(StoragePolicy policy) => new()
    {
        Policy = policy,
        Nodes = [new("large", 1L << 30), new("small", 512L << 20)],
        Strategy = "binpack",
    };
}

public sealed class UnequalFileNodes() : UnequalNodes(StoragePolicy.File);

public sealed class UnequalLvmNodes() : UnequalNodes(StoragePolicy.Lvm);

public sealed class FileBinpackTests(UnequalFileNodes fixture) : BinpackTests(fixture), IClassFixture<UnequalFileNodes>;

[Trait(Kernel.Trait, Kernel.DeviceMapper)]
public sealed class LvmBinpackTests(UnequalLvmNodes fixture) : BinpackTests(fixture), IClassFixture<UnequalLvmNodes>;

[Collection(KubernetesCollection.Name)]
public sealed class KubernetesPlacementTests(ThreeKubernetesNodes fixture) : PlacementTests(fixture);
