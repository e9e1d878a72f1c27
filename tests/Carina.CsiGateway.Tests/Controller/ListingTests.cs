using Carina.CsiGateway.Controller;
using Carina.CsiGateway.Tests.Hosting;
using Carina.Grains.Errors;
using Csi.V1;
using Grpc.Core;
using static Carina.CsiGateway.Tests.Controller.Requests;
using Mode = Csi.V1.VolumeCapability.Types.AccessMode.Types.Mode;

namespace Carina.CsiGateway.Tests.Controller;

public sealed class ListingTests : IAsyncLifetime, IAsyncDisposable
{
    private readonly CsiTestHost _host = new();

    private Csi.V1.Controller.ControllerClient Client => _host.ControllerClient;

    public ValueTask InitializeAsync() => _host.InitializeAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Theory]
    [InlineData(10, 3, 4)]
    [InlineData(10, 5, 2)]
    [InlineData(10, 10, 1)]
    [InlineData(10, int.MaxValue, 1)]
    [InlineData(0, 0, 1)]
    public async Task Pages_hold_every_volume_once_in_a_stable_order(int volumes, int pageSize, int pages)
    {
        for (var i = 0; i < volumes; i++)
        {
            _host.Cluster.Add($"pvc-{i:d3}");
        }

        var listed = await ListAllAsync(pageSize);
        Assert.Equal(pages, listed.Count);
        Assert.Equal(
            Enumerable.Range(0, volumes).Select(i => $"volume-pvc-{i:d3}"),
            listed.SelectMany(page => page.Entries).Select(entry => entry.Volume.VolumeId));
    }

    [Fact]
    public async Task A_page_fits_into_one_message_however_many_volumes_there_are()
    {
        for (var i = 0; i < CsiControllerService.MaxPageEntries + 500; i++)
        {
            var record = _host.Cluster.Add($"pvc-{i:d5}");
            record.Parameters["csi.storage.k8s.io/pvc/name"] = new string('x', 4000);
        }

        var pages = await ListAllAsync(0);
        Assert.All(pages, page => Assert.InRange(page.CalculateSize(), 0, 4 << 20));
        Assert.Equal(_host.Cluster.Volumes.Count, pages.Sum(page => page.Entries.Count));
    }

    [Theory]
    [InlineData("invalid-token")]
    [InlineData("%%%")]
    [InlineData("L2V0Yy9wYXNzd2Q")]
    public async Task A_token_of_somebody_else_restarts_the_listing(string token)
    {
        await CsiTestHost.AssertRefusedAsync(
            Client.ListVolumesAsync(new() { StartingToken = token }), StatusCode.Aborted, "starting_token");
        await CsiTestHost.AssertRefusedAsync(
            Client.ListVolumesAsync(new() { StartingToken = new('A', 1 << 20) }), StatusCode.Aborted, "starting_token");
        Assert.Equal(0, _host.CallsBehindTheDoor);
    }

    [Fact]
    public async Task A_negative_page_is_refused() => await CsiTestHost.AssertRefusedAsync(
        Client.ListVolumesAsync(new() { MaxEntries = -1 }), StatusCode.InvalidArgument, "max_entries");

    [Fact]
    public async Task Listing_and_getting_tell_condition_and_nodes()
    {
        var record = _host.Cluster.Add("pvc-1");
        record.PublishedNodes["node-a"] = false;
        _host.Cluster.Problems[record.VolumeId] = "a disk of its pool is missing";
        var listed = Assert.Single((await Client.ListVolumesAsync(new())).Entries);
        var got = await Client.ControllerGetVolumeAsync(new() { VolumeId = record.VolumeId });
        Assert.Equal(listed.Volume, got.Volume);
        Assert.Equal(["node-a"], listed.Status.PublishedNodeIds);
        Assert.Equal(["node-a"], got.Status.PublishedNodeIds);
        Assert.Equal((true, "a disk of its pool is missing"), (got.Status.VolumeCondition.Abnormal, got.Status.VolumeCondition.Message));
        Assert.Equal(got.Status.VolumeCondition, listed.Status.VolumeCondition);
        _host.Cluster.Problems.Clear();
        got = await Client.ControllerGetVolumeAsync(new() { VolumeId = record.VolumeId });
        Assert.False(got.Status.VolumeCondition.Abnormal);
    }

    [Fact]
    public async Task Getting_demands_a_known_volume()
    {
        await CsiTestHost.AssertRefusedAsync(Client.ControllerGetVolumeAsync(new()), StatusCode.InvalidArgument, "volume_id");
        await CsiTestHost.AssertRefusedAsync(
            Client.ControllerGetVolumeAsync(new() { VolumeId = "volume-nobody" }), StatusCode.NotFound, "volume-nobody");
    }

    [Fact]
    public async Task Capacity_is_told_in_bytes_without_any_parameters()
    {
        var capacity = await Client.GetCapacityAsync(new());
        Assert.Equal(
            (30 * GiB, 20 * GiB, 4L << 20),
            (capacity.AvailableCapacity, capacity.MaximumVolumeSize!.Value, capacity.MinimumVolumeSize!.Value));
        Assert.Equal(("", 0), (_host.Cluster.LastQuery!.Pool, _host.Cluster.LastQuery.Segments.Count));
    }

    [Fact]
    public async Task Capacity_is_asked_by_pool_and_topology()
    {
        await Client.GetCapacityAsync(new()
        {
            Parameters = { ["carina.storage.io/disk-type"] = "hdd", ["csi.storage.k8s.io/pvc/name"] = "x" },
            AccessibleTopology = new() { Segments = { ["topology.carina.storage.io/node"] = "node-b" } },
        });
        Assert.Equal("hdd", _host.Cluster.LastQuery!.Pool);
        Assert.Equal("node-b", _host.Cluster.LastQuery.Segments["topology.carina.storage.io/node"]);
    }

    [Theory]
    [InlineData("hdd", "carina.storage.io/disk-group-name")]
    [InlineData("hdd", "carina.storage.io/disk-type")]
    [InlineData("hdd", "carina.storage.io/backend-disk-group-name")]
    [InlineData("hdd", "carina.storage.io/backend-disk-type")]
    [InlineData("", "carina.storage.io/cache-disk-group-name")]
    [InlineData("", "carina.storage.io/cache-disk-type")]
    public async Task Capacity_and_creation_take_the_group_from_the_same_keys(string pool, string key)
    {
        var parameters = new Dictionary<string, string> { [key] = "hdd", ["carina.storage.io/cache-disk-ratio"] = "0" };
        await Client.GetCapacityAsync(new() { Parameters = { parameters } });
        Assert.Equal(pool, _host.Cluster.LastQuery!.Pool);
        await Client.CreateVolumeAsync(new() { Name = "pvc-1", Parameters = { parameters }, VolumeCapabilities = { Mount("ext4") } });
        Assert.Equal(pool, Assert.Single(_host.Cluster.Created).Pool);
    }

    [Fact]
    public async Task Where_no_volume_fits_any_more_there_is_no_capacity()
    {
        // As external-provisioner asks for a CSIStorageCapacity, and with the file system.
        _host.Cluster.Capacity = new(200L << 20, 200L << 20, 4L << 20);
        var request = new GetCapacityRequest
        {
            AccessibleTopology = new() { Segments = { ["topology.carina.storage.io/node"] = "node-b" } },
        };
        Assert.Equal(200L << 20, (await Client.GetCapacityAsync(request)).MaximumVolumeSize);
        request.VolumeCapabilities.Add(Mount("xfs"));
        var none = await Client.GetCapacityAsync(request);
        Assert.Equal((0, 0), (none.AvailableCapacity, none.MaximumVolumeSize!.Value));
    }

    [Fact]
    public async Task Capacity_that_is_not_known_is_no_capacity_of_zero()
    {
        // Zero would be published, and keep pods from a node that only does not answer for a moment.
        _host.Cluster.Disturb = _ => throw new StorageException(StorageErrorCode.Unavailable, "The ledger of node 'b' does not answer.");
        await CsiTestHost.AssertRefusedAsync(Client.GetCapacityAsync(new()), StatusCode.Unavailable, "does not answer");
    }

    [Fact]
    public async Task Capacity_knows_what_a_file_system_needs_and_what_is_impossible()
    {
        var xfs = await Client.GetCapacityAsync(new() { VolumeCapabilities = { Mount("xfs") } });
        Assert.Equal(300L << 20, xfs.MinimumVolumeSize);
        var shared = await Client.GetCapacityAsync(new() { VolumeCapabilities = { Mount("", Mode.MultiNodeMultiWriter) } });
        Assert.Equal((0, 0), (shared.AvailableCapacity, shared.MaximumVolumeSize!.Value));
        await CsiTestHost.AssertRefusedAsync(
            Client.GetCapacityAsync(new() { Parameters = { ["colour"] = "blue" } }), StatusCode.InvalidArgument, "colour");
    }

    private async Task<List<ListVolumesResponse>> ListAllAsync(int pageSize)
    {
        var pages = new List<ListVolumesResponse>();
        var token = "";
        do
        {
            var page = await Client.ListVolumesAsync(new() { MaxEntries = pageSize, StartingToken = token });
            pages.Add(page);
            token = page.NextToken;
        }
        while (token.Length > 0);
        return pages;
    }
}
