using Carina.E2E.Tests.Clusters;
using Carina.Grains;
using Carina.Harness.Sidecars;
using Csi.V1;
using Grpc.Core;

namespace Carina.E2E.Tests.Capacity;

/// <summary>What the driver says is available can be had, and no more.</summary>
public abstract class CapacityTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    private const int AtOnce = 64;
    private const string Node = "node-3";

    [Fact]
    public async Task Of_64_volumes_at_once_exactly_those_that_fit_are_made()
    {
        const long Size = 160 * MiB;
        var fitting = (int)(EmptyCapacities[Node] / Size);
        Assert.InRange(fitting, 8, 40);
        var outcomes = await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => TryCreateAsync(Size)));

        Assert.Equal(fitting, outcomes.Count(o => o is null));
        Assert.All(outcomes.OfType<RpcException>(), e => Assert.Equal(StatusCode.ResourceExhausted, e.StatusCode));
        var onDisk = await Cluster.Node(Node).Storage.ListVolumesAsync(Stop);
        Assert.Equal(fitting, onDisk.Count);
        Assert.All(onDisk.Values, bytes => Assert.Equal(Size, bytes));
        Assert.Equal(EmptyCapacities[Node] - (fitting * Size), (await GetCapacitiesAsync())[Node]);
    }

    [Fact]
    public async Task Everything_that_is_available_can_be_had_in_one_volume()
    {
        var answer = await Cluster.Provisioner.GetCapacityAsync(Node, Cluster.Pool, Stop);
        var volume = await ProvisionAsync(new() { Bytes = answer.MaximumVolumeSize!.Value, Block = true }, Node);
        Assert.Equal(answer.MaximumVolumeSize, volume.Bytes);
        Assert.Equal(0, (await GetCapacitiesAsync())[Node]);
        await RequireErrorAsync(
            StatusCode.ResourceExhausted, () => ProvisionAsync(new() { Bytes = MiB, Block = true }, Node));
    }

    [Fact]
    public async Task A_byte_more_than_there_is_cannot_be_had()
    {
        var request = new VolumeRequest { Bytes = EmptyCapacities[Node] + 1, Block = true };
        var message = await RequireErrorAsync(StatusCode.ResourceExhausted, () => ProvisionAsync(request, Node));
        Assert.Contains(Cluster.Pool, message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Capacity_is_counted_in_bytes_by_node_and_by_pool()
    {
        var volume = await ProvisionAsync(new() { Bytes = 100 * MiB }, Node);
        var available = await GetCapacitiesAsync();
        Assert.Equal(EmptyCapacities[Node] - volume.Bytes, available[Node]);

        var everywhere = await Controller.GetCapacityAsync(new(), cancellationToken: Stop);
        Assert.Equal(available.Values.Sum(), everywhere.AvailableCapacity);
        Assert.Equal(available.Values.Max(), everywhere.MaximumVolumeSize);
        Assert.Equal(0, await GetAsync(Node, "no-such-pool"));
        Assert.Equal(0, await GetAsync("no-such-node", Cluster.Pool));
    }

    [Fact]
    public async Task A_volume_grows_within_its_pool_and_not_beyond()
    {
        var volume = await ProvisionAsync(new() { Bytes = 64 * MiB, Block = true }, Node);
        var (grown, _) = await Cluster.Resizer.ExpandAsync(volume, EmptyCapacities[Node] - (64 * MiB), Stop);
        Assert.Equal(EmptyCapacities[Node] - grown.Bytes, (await GetCapacitiesAsync())[Node]);
        await RequireErrorAsync(
            StatusCode.OutOfRange, () => Cluster.Resizer.ExpandAsync(grown, EmptyCapacities[Node] + 1, Stop));
        Assert.Equal([grown.Bytes], await FindOnDisksAsync(volume.Handle));
        Assert.Equal(EmptyCapacities[Node] - grown.Bytes, (await GetCapacitiesAsync())[Node]);
    }

    [Fact]
    public async Task The_size_is_rounded_up_within_the_limit()
    {
        var volume = await CreateAsync(Call(new() { Bytes = (64 * MiB) + 1, LimitBytes = 96 * MiB, Block = true }));
        Assert.InRange(volume.CapacityBytes, (64 * MiB) + 1, 96 * MiB);
        await RequireErrorAsync(
            StatusCode.ResourceExhausted,
            () => CreateAsync(Call(new() { Bytes = (64 * MiB) + 1, LimitBytes = (64 * MiB) + 2, Block = true })));
    }

    private static CreateVolumeRequest Call(VolumeRequest request) => ProvisionerSim.ToCall(request, Node);

    private async Task<RpcException?> TryCreateAsync(long bytes)
    {
        try
        {
            await ProvisionAsync(new() { Bytes = bytes, Block = true, Pool = Cluster.Pool }, Node);
            return null;
        }
        catch (RpcException exception)
        {
            return exception;
        }
    }

    private async Task<long> GetAsync(string node, string pool)
    {
        var call = new GetCapacityRequest
        {
            Parameters = { [CarinaNames.DiskGroup] = pool },
            AccessibleTopology = new() { Segments = { [CarinaNames.TopologyKey] = node } },
        };
        return (await Controller.GetCapacityAsync(call, cancellationToken: Stop)).AvailableCapacity;
    }
}

[Collection(FileCollection.Name)]
public sealed class FileCapacityTests(ThreeFileNodes fixture) : CapacityTests(fixture);

[Collection(LvmCollection.Name)]
[Trait(Kernel.Trait, Kernel.DeviceMapper)]
public sealed class LvmCapacityTests(ThreeLvmNodes fixture) : CapacityTests(fixture);

[Collection(KubernetesCollection.Name)]
public sealed class KubernetesCapacityTests(ThreeKubernetesNodes fixture) : CapacityTests(fixture);
