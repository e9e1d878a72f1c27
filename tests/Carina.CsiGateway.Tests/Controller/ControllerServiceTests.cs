using Carina.CsiGateway.Tests.Hosting;
using Carina.Grains.Volumes;
using Csi.V1;
using Grpc.Core;
using static Carina.CsiGateway.Tests.Controller.Requests;
using Mode = Csi.V1.VolumeCapability.Types.AccessMode.Types.Mode;
using Rpc = Csi.V1.ControllerServiceCapability.Types.RPC.Types.Type;

namespace Carina.CsiGateway.Tests.Controller;

public sealed class ControllerServiceTests : IAsyncLifetime, IAsyncDisposable
{
    private const string Unknown = "volume-nobody";
    private const string ReadAhead = "carina.storage.io/read-ahead-kib";

    private readonly CsiTestHost _host = new() { MaxVolumesPerNode = 2 };

    private Csi.V1.Controller.ControllerClient Client => _host.ControllerClient;

    public ValueTask InitializeAsync() => _host.InitializeAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task What_is_advertised_is_what_works()
    {
        var rpcs = (await Client.ControllerGetCapabilitiesAsync(new())).Capabilities.Select(one => one.Rpc.Type);
        Assert.Equal(
            [
                Rpc.CreateDeleteVolume, Rpc.PublishUnpublishVolume, Rpc.PublishReadonly, Rpc.ListVolumes,
                Rpc.ListVolumesPublishedNodes, Rpc.GetCapacity, Rpc.ExpandVolume, Rpc.GetVolume, Rpc.VolumeCondition,
                Rpc.SingleNodeMultiWriter, Rpc.ModifyVolume,
            ],
            rpcs);
    }

    [Fact]
    public async Task What_is_not_advertised_says_so()
    {
        await Refused(Client.CreateSnapshotAsync(new()), StatusCode.Unimplemented, "CreateSnapshot", "not offered");
        await Refused(Client.ListSnapshotsAsync(new()), StatusCode.Unimplemented, "ListSnapshots");
    }

    [Fact]
    public async Task Deleting_what_nobody_made_succeeds()
    {
        await Client.DeleteVolumeAsync(new() { VolumeId = "fake-vol-id" });
        Assert.Equal(0, _host.CallsBehindTheDoor);
        await Client.DeleteVolumeAsync(new() { VolumeId = Unknown });
        var record = _host.Cluster.Add("pvc-1");
        await Client.DeleteVolumeAsync(new() { VolumeId = record.VolumeId });
        Assert.Empty(_host.Cluster.Volumes);
    }

    [Fact]
    public async Task Publishing_is_repeatable_and_read_only_is_not_read_write()
    {
        var publish = Publish(_host.Cluster.Add("pvc-1"));
        await Client.ControllerPublishVolumeAsync(publish);
        await Client.ControllerPublishVolumeAsync(publish);
        publish.Readonly = true;
        await Refused(Client.ControllerPublishVolumeAsync(publish), StatusCode.AlreadyExists);
    }

    [Fact]
    public async Task Publishing_demands_a_volume_a_node_and_a_fitting_capability()
    {
        var record = _host.Cluster.Add("pvc-1");
        await Refused(Client.ControllerPublishVolumeAsync(Publish(record, r => r.VolumeId = "")), StatusCode.InvalidArgument, "volume_id");
        await Refused(Client.ControllerPublishVolumeAsync(Publish(record, r => r.NodeId = "")), StatusCode.InvalidArgument, "node_id");
        await Refused(
            Client.ControllerPublishVolumeAsync(Publish(record, r => r.NodeId = new('n', 257))), StatusCode.InvalidArgument, "node_id");
        await Refused(
            Client.ControllerPublishVolumeAsync(Publish(record, r => r.VolumeCapability = null)),
            StatusCode.InvalidArgument,
            "volume_capability");
        await Refused(
            Client.ControllerPublishVolumeAsync(Publish(record, r => r.VolumeCapability = Mount("", Mode.MultiNodeMultiWriter))),
            StatusCode.InvalidArgument,
            "access_mode");
        await Refused(
            Client.ControllerPublishVolumeAsync(Publish(record, r =>
            {
                r.Readonly = true;
                r.VolumeCapability = Mount("ext4", Mode.SingleNodeWriter, "rw");
            })),
            StatusCode.InvalidArgument,
            "mount_flags",
            "readonly");
        await Refused(Client.ControllerPublishVolumeAsync(Publish(record, r => r.VolumeId = "fake-vol-id")), StatusCode.NotFound, "fake-vol-id");
        Assert.Equal(0, _host.CallsBehindTheDoor);
        await Refused(
            Client.ControllerPublishVolumeAsync(Publish(record, r => r.VolumeCapability = Block())),
            StatusCode.InvalidArgument,
            "block",
            record.VolumeId);
        await Refused(
            Client.ControllerPublishVolumeAsync(Publish(record, r => r.VolumeCapability = Mount("xfs"))),
            StatusCode.InvalidArgument,
            "xfs",
            "ext4");
        await Refused(Client.ControllerPublishVolumeAsync(Publish(record, r => r.VolumeId = Unknown)), StatusCode.NotFound, Unknown);
        await Refused(Client.ControllerPublishVolumeAsync(Publish(record, r => r.NodeId = "node-x")), StatusCode.NotFound, "node-x");
    }

    [Fact]
    public async Task A_node_takes_as_many_volumes_as_it_says()
    {
        await Client.ControllerPublishVolumeAsync(Publish(_host.Cluster.Add("pvc-1")));
        await Client.ControllerPublishVolumeAsync(Publish(_host.Cluster.Add("pvc-2")));
        await Refused(
            Client.ControllerPublishVolumeAsync(Publish(_host.Cluster.Add("pvc-3"))), StatusCode.ResourceExhausted);
        await Client.ControllerUnpublishVolumeAsync(new() { VolumeId = "volume-pvc-1", NodeId = "node-a" });
        await Client.ControllerPublishVolumeAsync(Publish(_host.Cluster.Volumes["volume-pvc-3"]));
    }

    [Fact]
    public async Task Unpublishing_what_is_not_there_succeeds_and_no_node_means_all()
    {
        await Client.ControllerUnpublishVolumeAsync(new() { VolumeId = "fake-vol-id", NodeId = "node-a" });
        await Client.ControllerUnpublishVolumeAsync(new() { VolumeId = Unknown, NodeId = "node-x" });
        await Client.ControllerPublishVolumeAsync(Publish(_host.Cluster.Add("pvc-1")));
        await Client.ControllerUnpublishVolumeAsync(new() { VolumeId = "volume-pvc-1" });
        Assert.Empty(_host.Cluster.Volumes["volume-pvc-1"].PublishedNodes);
        await Refused(Client.ControllerUnpublishVolumeAsync(new()), StatusCode.InvalidArgument, "volume_id");
    }

    [Fact]
    public async Task Expansion_checks_the_volume_the_size_and_the_use()
    {
        var record = _host.Cluster.Add("pvc-1");
        await Refused(Client.ControllerExpandVolumeAsync(Expand("", GiB)), StatusCode.InvalidArgument, "volume_id");
        await Refused(
            Client.ControllerExpandVolumeAsync(new() { VolumeId = record.VolumeId }), StatusCode.InvalidArgument, "capacity_range");
        await Refused(Client.ControllerExpandVolumeAsync(Expand(record.VolumeId, 0)), StatusCode.InvalidArgument, "required_bytes");
        await Refused(Client.ControllerExpandVolumeAsync(Expand(record.VolumeId, -1)), StatusCode.InvalidArgument, "required_bytes");
        await Refused(Client.ControllerExpandVolumeAsync(Expand(record.VolumeId, 2, 1)), StatusCode.InvalidArgument, "limit_bytes");
        await Refused(
            Client.ControllerExpandVolumeAsync(Expand(record.VolumeId, long.MaxValue)), StatusCode.OutOfRange, "required_bytes");
        await Refused(Client.ControllerExpandVolumeAsync(Expand("fake-vol-id", GiB)), StatusCode.NotFound, "fake-vol-id");
        Assert.Equal(0, _host.CallsBehindTheDoor);
        await Refused(Client.ControllerExpandVolumeAsync(Expand(Unknown, GiB)), StatusCode.NotFound, Unknown);
        var asBlock = Expand(record.VolumeId, 2 * GiB);
        asBlock.VolumeCapability = Block();
        await Refused(Client.ControllerExpandVolumeAsync(asBlock), StatusCode.InvalidArgument, "volume_capability", "block");
        var grown = await Client.ControllerExpandVolumeAsync(Expand(record.VolumeId, 2 * GiB));
        Assert.Equal((2 * GiB, true), (grown.CapacityBytes, grown.NodeExpansionRequired));
    }

    [Fact]
    public async Task Modification_knows_one_key_and_changes_nothing_when_another_comes_with_it()
    {
        var record = _host.Cluster.Add("pvc-1");
        var both = new ControllerModifyVolumeRequest
        {
            VolumeId = record.VolumeId,
            MutableParameters = { [ReadAhead] = "128", ["XXX_FakeKey"] = "1" },
        };
        await Refused(Client.ControllerModifyVolumeAsync(both), StatusCode.InvalidArgument, "XXX_FakeKey");
        await Refused(Client.ControllerModifyVolumeAsync(new()), StatusCode.InvalidArgument, "volume_id");
        Assert.Equal(0, _host.CallsBehindTheDoor);
        await Refused(Client.ControllerModifyVolumeAsync(new() { VolumeId = Unknown }), StatusCode.NotFound, Unknown);
        both.MutableParameters.Remove("XXX_FakeKey");
        await Client.ControllerModifyVolumeAsync(both);
        Assert.Equal("128", _host.Cluster.Volumes[record.VolumeId].MutableParameters[ReadAhead]);
        await Client.ControllerModifyVolumeAsync(new() { VolumeId = record.VolumeId });
    }

    [Fact]
    public async Task Capabilities_are_confirmed_when_the_volume_has_them()
    {
        var record = _host.Cluster.Add("pvc-1");
        var request = new ValidateVolumeCapabilitiesRequest
        {
            VolumeId = record.VolumeId,
            VolumeCapabilities = { Mount("ext4"), Mount("", Mode.SingleNodeMultiWriter) },
            VolumeContext = { ["carina.storage.io/node"] = "node-a" },
        };
        var confirmed = (await Client.ValidateVolumeCapabilitiesAsync(request)).Confirmed;
        Assert.Equal(request.VolumeCapabilities, confirmed.VolumeCapabilities);
        Assert.Equal(request.VolumeContext, confirmed.VolumeContext);
    }

    [Fact]
    public async Task Attributes_of_a_time_before_a_move_are_tolerated_but_not_confirmed()
    {
        var record = _host.Cluster.Add("pvc-1");
        var confirmed = (await Client.ValidateVolumeCapabilitiesAsync(new()
        {
            VolumeId = record.VolumeId,
            VolumeCapabilities = { Mount() },
            VolumeContext = { ["carina.storage.io/node"] = "node-gone" },
        })).Confirmed;
        Assert.Single(confirmed.VolumeCapabilities);
        Assert.Empty(confirmed.VolumeContext);
    }

    public static TheoryData<string> Unfitting => ["block", "xfs", "many nodes", "parameter"];

    [Theory]
    [MemberData(nameof(Unfitting))]
    public async Task Capabilities_that_the_volume_lacks_are_not_confirmed(string what)
    {
        var request = new ValidateVolumeCapabilitiesRequest
        {
            VolumeId = _host.Cluster.Add("pvc-1").VolumeId,
            VolumeCapabilities =
            {
                what switch
                {
                    "block" => Block(),
                    "xfs" => Mount("xfs"),
                    "many nodes" => Mount("", Mode.MultiNodeMultiWriter),
                    _ => Mount(),
                },
            },
        };
        if (what == "parameter")
        {
            request.Parameters["carina.storage.io/disk-group-name"] = "another";
        }

        var response = await Client.ValidateVolumeCapabilitiesAsync(request);
        Assert.Null(response.Confirmed);
        Assert.NotEmpty(response.Message);
    }

    [Fact]
    public async Task Validation_demands_a_volume_and_capabilities()
    {
        var record = _host.Cluster.Add("pvc-1");
        await Refused(
            Client.ValidateVolumeCapabilitiesAsync(new() { VolumeCapabilities = { Mount() } }), StatusCode.InvalidArgument, "volume_id");
        await Refused(
            Client.ValidateVolumeCapabilitiesAsync(new() { VolumeId = record.VolumeId }),
            StatusCode.InvalidArgument,
            "volume_capabilities");
        Assert.Equal(0, _host.CallsBehindTheDoor);
        await Refused(
            Client.ValidateVolumeCapabilitiesAsync(new() { VolumeId = Unknown, VolumeCapabilities = { Mount() } }),
            StatusCode.NotFound,
            Unknown);
    }

    [Fact]
    public async Task A_volume_that_is_still_being_made_is_not_found()
    {
        var record = _host.Cluster.Add("pvc-1");
        _host.Cluster.Volumes[record.VolumeId] = record with { State = VolumeState.Creating };
        await Refused(Client.ControllerGetVolumeAsync(new() { VolumeId = record.VolumeId }), StatusCode.NotFound);
    }

    private static Task<string> Refused<T>(AsyncUnaryCall<T> call, StatusCode code, params string[] words) =>
        CsiTestHost.AssertRefusedAsync(call, code, words);

    private static ControllerPublishVolumeRequest Publish(
        VolumeRecord record, Action<ControllerPublishVolumeRequest>? change = null)
    {
        var request = new ControllerPublishVolumeRequest
        {
            VolumeId = record.VolumeId,
            NodeId = "node-a",
            VolumeCapability = Mount("ext4"),
        };
        change?.Invoke(request);
        return request;
    }

    private static ControllerExpandVolumeRequest Expand(string volumeId, long required, long limit = 0) => new()
    {
        VolumeId = volumeId,
        CapacityRange = new() { RequiredBytes = required, LimitBytes = limit },
    };
}
