using Carina.CsiGateway.Tests.Hosting;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Csi.V1;
using Grpc.Core;
using static Carina.CsiGateway.Tests.Controller.Requests;

namespace Carina.CsiGateway.Tests.Controller;

public sealed class CreateVolumeTests : IAsyncLifetime, IAsyncDisposable
{
    private readonly CsiTestHost _host = new();

    public ValueTask InitializeAsync() => _host.InitializeAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_volume_has_its_place_and_all_parameters_in_its_context()
    {
        var request = Create("pvc-319c5deb");
        request.Parameters["csi.storage.k8s.io/pvc/name"] = "data-0";
        var volume = await CreateAsync(request);
        Assert.Equal("volume-pvc-319c5deb", volume.VolumeId);
        Assert.Equal(GiB, volume.CapacityBytes);
        Assert.Equal(
            new Dictionary<string, string>
            {
                ["carina.storage.io/disk-group-name"] = "carina-lvm",
                ["carina.storage.io/node"] = "node-a",
                ["carina.storage.io/path"] = "/dev/carina-lvm/volume-pvc-319c5deb",
                ["csi.storage.k8s.io/pvc/name"] = "data-0",
            },
            volume.VolumeContext.ToDictionary());
        Assert.Equal(
            new Dictionary<string, string> { ["topology.carina.storage.io/node"] = "node-a" },
            Assert.Single(volume.AccessibleTopology).Segments.ToDictionary());
    }

    [Fact]
    public async Task The_same_request_gives_the_same_volume_and_another_size_is_a_conflict()
    {
        var first = await CreateAsync(Create());
        Assert.Equal(first, await CreateAsync(Create()));
        var larger = Create();
        larger.CapacityRange.RequiredBytes = 2 * GiB;
        await CsiTestHost.AssertRefusedAsync(
            _host.ControllerClient.CreateVolumeAsync(larger), StatusCode.AlreadyExists, first.VolumeId);
    }

    [Fact]
    public async Task Without_room_on_the_node_that_the_scheduler_chose_it_is_told_to_choose_again()
    {
        // With strict topology external-provisioner offers that node alone, and on this code gives the claim back.
        _host.Cluster.Disturb = _ => throw new StorageException(StorageErrorCode.ResourceExhausted, "No node has room for volume 'pvc-1'.");
        var request = Create();
        request.AccessibilityRequirements = new()
        {
            Requisite = { new Topology { Segments = { ["topology.carina.storage.io/node"] = "node-a" } } },
            Preferred = { new Topology { Segments = { ["topology.carina.storage.io/node"] = "node-a" } } },
        };
        await CsiTestHost.AssertRefusedAsync(
            _host.ControllerClient.CreateVolumeAsync(request), StatusCode.ResourceExhausted, "No node has room");
        _host.Cluster.Disturb = null;
        await CreateAsync(request);
        Assert.Equal(
            [new Dictionary<string, string> { ["topology.carina.storage.io/node"] = "node-a" }],
            Assert.Single(_host.Cluster.Created).Requisite);
    }

    [Fact]
    public async Task A_name_of_128_characters_works()
    {
        var volume = await CreateAsync(Create(new string('A', 128)));
        Assert.True(VolumeIds.IsWellFormed(volume.VolumeId));
    }

    [Theory]
    [InlineData(null, null, GiB)]
    [InlineData(0L, 0L, GiB)]
    [InlineData(0L, 5L << 20, 5L << 20)]
    [InlineData(1L, 0L, 1L << 20)]
    [InlineData(64L << 20, 64L << 20, 64L << 20)]
    public async Task A_size_is_what_was_asked_for_or_a_gibibyte(long? required, long? limit, long expected)
    {
        var request = Create();
        request.CapacityRange = required is null
            ? null
            : new() { RequiredBytes = required.Value, LimitBytes = limit!.Value };
        await CreateAsync(request);
        Assert.Equal((expected, limit ?? 0), (Asked.RequiredBytes, Asked.LimitBytes));
    }

    [Fact]
    public async Task A_small_xfs_volume_is_raised_to_what_xfs_needs()
    {
        var request = Create();
        request.VolumeCapabilities[0].Mount.FsType = "XFS";
        request.CapacityRange = new() { RequiredBytes = 1 << 20, LimitBytes = GiB };
        Assert.Equal(300 << 20, (await CreateAsync(request)).CapacityBytes);
        Assert.Equal(("xfs", GiB), (Asked.FileSystem, Asked.LimitBytes));
    }

    [Theory]
    [InlineData("carina.storage.io/disk-group-name", "SSD")]
    [InlineData("carina.storage.io/disk-type", "hdd")]
    [InlineData("carina.storage.io/disk-type", "Mixed")]
    [InlineData("carina.storage.io/disk-group-name", "")]
    public async Task Groups_are_asked_for_in_all_spellings(string key, string value)
    {
        var request = Create();
        request.Parameters.Clear();
        request.Parameters[key] = value;
        await CreateAsync(request);
        Assert.Equal(value, Asked.Pool);
        Assert.Equal(value, Asked.Parameters[key]);
    }

    [Fact]
    public async Task Cache_keys_with_a_ratio_of_zero_mean_no_cache()
    {
        var request = Create();
        request.Parameters["carina.storage.io/cache-disk-ratio"] = "0";
        request.Parameters["carina.storage.io/cache-disk-group-name"] = "carina-vg-ssd";
        request.Parameters["carina.storage.io/exclusively-raw-disk"] = "false";
        await CreateAsync(request);
        Assert.Equal("carina-lvm", Asked.Pool);
    }

    [Fact]
    public async Task A_file_system_that_is_not_named_is_ext4_and_a_block_volume_has_none()
    {
        var mount = Create("mount");
        mount.VolumeCapabilities[0] = Mount();
        await CreateAsync(mount);
        Assert.Equal((VolumeAccess.FileSystem, "ext4"), (Asked.Access, Asked.FileSystem));
        var block = Create("block");
        block.VolumeCapabilities[0] = Block();
        await CreateAsync(block);
        Assert.Equal((VolumeAccess.Block, ""), (Asked.Access, Asked.FileSystem));
    }

    [Fact]
    public async Task Topology_and_mutable_parameters_reach_the_grain_in_order()
    {
        var request = Create();
        request.MutableParameters["carina.storage.io/read-ahead-kib"] = "512";
        request.AccessibilityRequirements = new()
        {
            Requisite = { On("node-a"), On("node-b") },
            Preferred = { On("node-b"), On("node-a") },
        };
        await CreateAsync(request);
        Assert.Equal("512", Asked.MutableParameters["carina.storage.io/read-ahead-kib"]);
        Assert.Equal(["node-a", "node-b"], Asked.Requisite.SelectMany(segments => segments.Values));
        Assert.Equal(["node-b", "node-a"], Asked.Preferred.SelectMany(segments => segments.Values));
    }

    private CreateVolume Asked => _host.Cluster.Created.Last();

    private async Task<Volume> CreateAsync(CreateVolumeRequest request) =>
        (await _host.ControllerClient.CreateVolumeAsync(request)).Volume;

    private static Topology On(string node) => new() { Segments = { ["topology.carina.storage.io/node"] = node } };
}
