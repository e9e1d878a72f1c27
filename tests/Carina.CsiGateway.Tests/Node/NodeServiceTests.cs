using Carina.CsiGateway.Tests.Controller;
using Carina.CsiGateway.Tests.Hosting;
using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Csi.V1;
using Grpc.Core;
using Mode = Csi.V1.VolumeCapability.Types.AccessMode.Types.Mode;
using Rpc = Csi.V1.NodeServiceCapability.Types.RPC.Types.Type;
using Unit = Csi.V1.VolumeUsage.Types.Unit;

namespace Carina.CsiGateway.Tests.Node;

public sealed class NodeServiceTests : IAsyncLifetime, IAsyncDisposable
{
    private readonly CsiTestHost _host = new() { MaxVolumesPerNode = 17, VolumeWait = TimeSpan.FromMilliseconds(200) };

    private Csi.V1.Node.NodeClient Client => _host.NodeClient;

    public ValueTask InitializeAsync() => _host.InitializeAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_node_tells_its_name_limit_and_topology()
    {
        var info = await Client.NodeGetInfoAsync(new());
        Assert.Equal(("node-a", 17), (info.NodeId, info.MaxVolumesPerNode));
        Assert.Equal("node-a", info.AccessibleTopology.Segments["topology.carina.storage.io/node"]);
        Assert.Equal(
            [
                Rpc.StageUnstageVolume, Rpc.GetVolumeStats, Rpc.ExpandVolume, Rpc.VolumeCondition,
                Rpc.SingleNodeMultiWriter, Rpc.VolumeMountGroup,
            ],
            (await Client.NodeGetCapabilitiesAsync(new())).Capabilities.Select(one => one.Rpc.Type));
    }

    [Fact]
    public async Task A_volume_is_staged_as_its_grain_has_it()
    {
        var record = _host.Cluster.Add("pvc-1");
        record.MutableParameters["carina.storage.io/read-ahead-kib"] = "64";
        var request = Stage(record);
        request.StagingTargetPath = _host.Root + "//plugins/./staging/";
        request.VolumeCapability = Requests.Mount("", Mode.SingleNodeWriter, "noatime");
        await Client.NodeStageVolumeAsync(request);
        var asked = Assert.IsType<StageRequest>(Assert.Single(_host.NodeVolumes.Requests));
        Assert.Equal(new DiskVolumeKey("volume-pvc-1", "carina-lvm", 7), asked.Key);
        Assert.Equal((VolumeAccess.FileSystem, "ext4", _host.Staging), (asked.Access, asked.FileSystem, asked.StagingPath));
        Assert.Equal(["noatime"], asked.MountFlags);
        Assert.Equal("64", asked.MutableParameters["carina.storage.io/read-ahead-kib"]);
    }

    [Fact]
    public async Task A_staged_volume_goes_to_pods_while_its_owner_cannot_be_asked_and_no_other()
    {
        var (known, unknown) = (_host.Cluster.Add("pvc-1"), _host.Cluster.Add("pvc-2"));
        await Client.NodeStageVolumeAsync(Stage(known));
        _host.Cluster.Disturb = _ => throw new StorageException(StorageErrorCode.Unavailable, "The API server is away.");
        await Client.NodePublishVolumeAsync(Publish(known));
        Assert.Equal(7, Assert.IsType<PublishRequest>(_host.NodeVolumes.Requests.Last()).Key.Generation);
        await FailsAsync(unknown, StatusCode.Unavailable);

        // A refusal is an answer.
        _host.Cluster.Disturb = _ => throw new StorageException(StorageErrorCode.FailedPrecondition, "It is on another node.");
        await FailsAsync(known, StatusCode.FailedPrecondition);

        await Client.NodeUnstageVolumeAsync(new() { VolumeId = known.VolumeId, StagingTargetPath = _host.Staging });
        _host.Cluster.Disturb = _ => throw new StorageException(StorageErrorCode.Unavailable, "The API server is away.");
        await FailsAsync(known, StatusCode.Unavailable);

        async Task FailsAsync(VolumeRecord record, StatusCode code) => Assert.Equal(
            code,
            (await Assert.ThrowsAsync<RpcException>(async () => await Client.NodePublishVolumeAsync(Publish(record)))).StatusCode);
    }

    [Fact]
    public async Task Attributes_of_earlier_releases_are_tolerated()
    {
        var record = _host.Cluster.Add("pvc-1") with { FileSystem = "" };
        _host.Cluster.Volumes[record.VolumeId] = record;
        var request = Stage(record);
        request.VolumeContext.Add(new Dictionary<string, string>
        {
            ["carina.storage.io/disk-type"] = "carina-vg-hdd",
            ["carina.storage.io/major"] = "252",
            ["storage.kubernetes.io/csiProvisionerIdentity"] = "1-2-carina.storage.io",
        });
        request.VolumeCapability = Requests.Mount("xfs");
        await Client.NodeStageVolumeAsync(request);
        Assert.Equal("xfs", Assert.IsType<StageRequest>(Assert.Single(_host.NodeVolumes.Requests)).FileSystem);
        request.VolumeContext.Clear();
        await Client.NodeStageVolumeAsync(request);
    }

    [Fact]
    public async Task A_node_that_does_not_own_the_volume_refuses()
    {
        var record = _host.Cluster.Add("pvc-1", node: "node-b");
        await Refused(Client.NodeStageVolumeAsync(Stage(record)), StatusCode.FailedPrecondition, "node-b");
        await Refused(Client.NodePublishVolumeAsync(Publish(record)), StatusCode.FailedPrecondition, "node-b");
        await Refused(
            Client.NodeExpandVolumeAsync(new() { VolumeId = record.VolumeId, VolumePath = _host.Target }),
            StatusCode.FailedPrecondition,
            "node-b");
        await Refused(
            Client.NodeGetVolumeStatsAsync(new() { VolumeId = record.VolumeId, VolumePath = _host.Target }),
            StatusCode.NotFound,
            "volume_path");
        Assert.Equal(0, _host.NodeVolumes.Calls);
    }

    [Fact]
    public async Task An_unknown_volume_cannot_be_used_but_can_be_cleaned_up()
    {
        var record = _host.Cluster.Add("pvc-1");
        _host.Cluster.Volumes.Clear();
        await Refused(Client.NodeStageVolumeAsync(Stage(record)), StatusCode.NotFound, record.VolumeId);
        await Refused(Client.NodePublishVolumeAsync(Publish(record)), StatusCode.NotFound, record.VolumeId);
        await Refused(
            Client.NodeExpandVolumeAsync(new() { VolumeId = record.VolumeId, VolumePath = _host.Target }),
            StatusCode.NotFound);
        await Refused(
            Client.NodeGetVolumeStatsAsync(new() { VolumeId = record.VolumeId, VolumePath = _host.Target }),
            StatusCode.NotFound);
        Assert.Equal(0, _host.NodeVolumes.Calls);
        var calls = _host.Cluster.Calls;
        await Client.NodeUnpublishVolumeAsync(new() { VolumeId = record.VolumeId, TargetPath = _host.Target });
        await Client.NodeUnstageVolumeAsync(new() { VolumeId = "host-pvc-of-0.14", StagingTargetPath = _host.Staging });
        Assert.Equal(2, _host.NodeVolumes.Calls);
        Assert.Equal(calls, _host.Cluster.Calls);
    }

    [Fact]
    public async Task An_id_with_a_slash_is_nobodys_and_reaches_no_path()
    {
        await Client.NodeUnpublishVolumeAsync(new() { VolumeId = "volume-../../etc", TargetPath = _host.Target });
        await Client.NodeUnstageVolumeAsync(new() { VolumeId = "..", StagingTargetPath = _host.Staging });
        Assert.Equal(0, _host.CallsBehindTheDoor);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_volume_is_used_only_as_what_it_was_made_for(bool block)
    {
        var record = _host.Cluster.Add("pvc-1", block ? VolumeAccess.Block : VolumeAccess.FileSystem);
        var wrong = block ? Requests.Mount() : Requests.Block();
        var stage = Stage(record);
        stage.VolumeCapability = wrong;
        await Refused(Client.NodeStageVolumeAsync(stage), StatusCode.FailedPrecondition, "volume_capability", record.VolumeId);
        var publish = Publish(record);
        publish.VolumeCapability = wrong;
        await Refused(Client.NodePublishVolumeAsync(publish), StatusCode.FailedPrecondition, "volume_capability");
        await Refused(
            Client.NodeExpandVolumeAsync(
                new() { VolumeId = record.VolumeId, VolumePath = _host.Target, VolumeCapability = wrong }),
            StatusCode.InvalidArgument,
            "volume_capability");
        Assert.Equal(0, _host.NodeVolumes.Calls);
    }

    [Fact]
    public async Task Publishing_says_who_may_write_and_how_often()
    {
        var record = _host.Cluster.Add("pvc-1");
        var request = Publish(record);
        request.VolumeCapability = Requests.Mount("ext4", Mode.SingleNodeSingleWriter);
        request.VolumeCapability.Mount.VolumeMountGroup = "1000";
        await Client.NodePublishVolumeAsync(request);
        var asked = LastPublish();
        Assert.Equal((true, false, 1000u), (asked.Exclusive, asked.ReadOnly, asked.MountGroup));
        Assert.Equal((_host.Staging, _host.Target), (asked.StagingPath, asked.TargetPath));
        request.VolumeCapability = Requests.Mount("ext4", Mode.SingleNodeReaderOnly);
        await Client.NodePublishVolumeAsync(request);
        asked = LastPublish();
        Assert.Equal((false, true, null), (asked.Exclusive, asked.ReadOnly, asked.MountGroup));
        request.VolumeCapability = Requests.Mount("ext4", Mode.SingleNodeMultiWriter);
        request.Readonly = true;
        await Client.NodePublishVolumeAsync(request);
        asked = LastPublish();
        Assert.Equal((false, true), (asked.Exclusive, asked.ReadOnly));
    }

    [Fact]
    public async Task Stats_of_a_file_system_have_bytes_inodes_and_a_condition()
    {
        var record = _host.Cluster.Add("pvc-1");
        await Client.NodePublishVolumeAsync(Publish(record));
        _host.NodeVolumes.Usage = new()
        {
            TotalBytes = 100,
            UsedBytes = 30,
            AvailableBytes = 70,
            TotalInodes = 10,
            UsedInodes = 3,
            AvailableInodes = 7,
            Problem = "mounted read-only by the kernel",
        };
        var stats = await Client.NodeGetVolumeStatsAsync(new() { VolumeId = record.VolumeId, VolumePath = _host.Target });
        Assert.Equal(
            [(Unit.Bytes, 100, 30, 70), (Unit.Inodes, 10, 3, 7)],
            stats.Usage.Select(one => (one.Unit, one.Total, one.Used, one.Available)));
        Assert.True(stats.VolumeCondition.Abnormal);
        Assert.Contains("read-only", stats.VolumeCondition.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stats_of_a_block_device_have_its_size_only()
    {
        var record = _host.Cluster.Add("pvc-1", VolumeAccess.Block);
        var publish = Publish(record);
        publish.VolumeCapability = Requests.Block();
        await Client.NodePublishVolumeAsync(publish);
        var stats = await Client.NodeGetVolumeStatsAsync(new() { VolumeId = record.VolumeId, VolumePath = _host.Target });
        var bytes = Assert.Single(stats.Usage);
        Assert.Equal((Unit.Bytes, 1L << 30, 0, 0), (bytes.Unit, bytes.Total, bytes.Used, bytes.Available));
        Assert.False(stats.VolumeCondition.Abnormal);
        await Refused(
            Client.NodeGetVolumeStatsAsync(new() { VolumeId = record.VolumeId, VolumePath = _host.Staging }),
            StatusCode.NotFound);
    }

    [Fact]
    public async Task A_file_system_grows_no_further_than_its_volume()
    {
        var record = _host.Cluster.Add("pvc-1");
        var request = new NodeExpandVolumeRequest { VolumeId = record.VolumeId, VolumePath = _host.Target };
        Assert.Equal(record.Bytes, (await Client.NodeExpandVolumeAsync(request)).CapacityBytes);
        request.CapacityRange = new() { RequiredBytes = record.Bytes + 1 };
        await Refused(Client.NodeExpandVolumeAsync(request), StatusCode.OutOfRange, "required_bytes", "ControllerExpandVolume");
    }

    [Fact]
    public async Task A_second_call_waits_for_the_first_and_then_is_told_to_come_back()
    {
        var release = new TaskCompletionSource();
        var staging = new TaskCompletionSource();
        _host.NodeVolumes.Hold = token =>
        {
            staging.TrySetResult();
            return release.Task.WaitAsync(token);
        };
        var record = _host.Cluster.Add("pvc-1");
        using var first = Client.NodeStageVolumeAsync(Stage(record));
        await staging.Task;
        await Refused(
            Client.NodeUnstageVolumeAsync(new() { VolumeId = record.VolumeId, StagingTargetPath = _host.Staging }),
            StatusCode.Aborted,
            "NodeStageVolume",
            record.VolumeId);
        var other = _host.Cluster.Add("pvc-2");
        await Client.NodePublishVolumeAsync(Publish(other));
        release.SetResult();
        await first;
        await Client.NodeUnstageVolumeAsync(new() { VolumeId = record.VolumeId, StagingTargetPath = _host.Staging });
    }

    private static Task<string> Refused<T>(AsyncUnaryCall<T> call, StatusCode code, params string[] words) =>
        CsiTestHost.AssertRefusedAsync(call, code, words);

    private PublishRequest LastPublish() => Assert.IsType<PublishRequest>(_host.NodeVolumes.Requests.Last());

    private NodeStageVolumeRequest Stage(VolumeRecord record) => new()
    {
        VolumeId = record.VolumeId,
        StagingTargetPath = _host.Staging,
        VolumeCapability = Requests.Mount("ext4"),
    };

    private NodePublishVolumeRequest Publish(VolumeRecord record) => new()
    {
        VolumeId = record.VolumeId,
        StagingTargetPath = _host.Staging,
        TargetPath = _host.Target,
        VolumeCapability = Requests.Mount("ext4"),
    };
}
