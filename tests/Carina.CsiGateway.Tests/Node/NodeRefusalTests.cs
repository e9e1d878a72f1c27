using Carina.CsiGateway.Tests.Controller;
using Carina.CsiGateway.Tests.Hosting;
using Csi.V1;
using Google.Protobuf;
using Grpc.Core;
using Mode = Csi.V1.VolumeCapability.Types.AccessMode.Types.Mode;

namespace Carina.CsiGateway.Tests.Node;

public sealed class NodeRefusalTests(CsiTestHost host) : IClassFixture<CsiTestHost>
{
    private const string Known = "volume-pvc-1";

    private Csi.V1.Node.NodeClient Client => host.NodeClient;

    /// <summary>Paths that must never be mounted on or unmounted; {root} and {outside} stand for real directories.</summary>
    public static TheoryData<string, string> BadPaths => new()
    {
        { "relative/path", "absolute" },
        { "{root}/../outside", "\"..\"" },
        { "{root}/pods/../../outside/x", "\"..\"" },
        { "{root}/a\0b", "control" },
        { "{root}/a\nb", "control" },
        { "{outside}/x", "not below" },
        { "{root}-elsewhere/x", "not below" },
        { "{root}", "not below" },
        { "{root}/./", "not below" },
        { "/", "not below" },
        { "/etc/passwd", "not below" },
        { "{root}/link/x", "symbolic link" },
        { "{root}/link", "symbolic link" },
        { "{root}/pods/dangling", "symbolic link" },
        { "{root}/{long}", "4096" },
    };

    [Theory]
    [MemberData(nameof(BadPaths))]
    public async Task No_call_gets_past_the_door_with_a_bad_path(string template, string word)
    {
        MakeLinks();
        var path = template.Replace("{root}", host.Root, StringComparison.Ordinal)
            .Replace("{outside}", host.Outside, StringComparison.Ordinal)
            .Replace("{long}", new string('x', 5000), StringComparison.Ordinal);
        var before = host.CallsBehindTheDoor;
        await Refused(Client.NodeStageVolumeAsync(Stage(r => r.StagingTargetPath = path)), "staging_target_path", word);
        await Refused(
            Client.NodeUnstageVolumeAsync(new() { VolumeId = Known, StagingTargetPath = path }), "staging_target_path", word);
        await Refused(Client.NodePublishVolumeAsync(Publish(r => r.TargetPath = path)), "target_path", word);
        await Refused(Client.NodePublishVolumeAsync(Publish(r => r.StagingTargetPath = path)), "staging_target_path", word);
        await Refused(Client.NodeUnpublishVolumeAsync(new() { VolumeId = Known, TargetPath = path }), "target_path", word);
        Assert.Equal(before, host.CallsBehindTheDoor);
    }

    private static readonly Dictionary<string, (Action<NodePublishVolumeRequest> Break, StatusCode Code, string[] Words)> _publish = new()
    {
        ["no volume"] = (r => r.VolumeId = "", StatusCode.InvalidArgument, ["volume_id"]),
        ["volume of 1 MiB"] = (r => r.VolumeId = new('v', 1 << 20), StatusCode.InvalidArgument, ["volume_id"]),
        ["no target"] = (r => r.TargetPath = "", StatusCode.InvalidArgument, ["target_path"]),
        ["no capability"] = (r => r.VolumeCapability = null, StatusCode.InvalidArgument, ["volume_capability"]),
        ["no access type"] = (r => r.VolumeCapability.ClearAccessType(), StatusCode.InvalidArgument, ["access_type"]),
        ["unknown file system"] = (r => r.VolumeCapability.Mount.FsType = "ntfs", StatusCode.InvalidArgument, ["fs_type"]),
        ["many nodes"] = (
            r => r.VolumeCapability.AccessMode.Mode = Mode.MultiNodeMultiWriter, StatusCode.FailedPrecondition, ["access_mode"]),
        ["rw but read-only"] = (
            r =>
            {
                r.VolumeCapability.Mount.MountFlags.Add("rw");
                r.Readonly = true;
            },
            StatusCode.InvalidArgument,
            ["mount_flags", "readonly"]),
        ["never staged"] = (r => r.StagingTargetPath = "", StatusCode.FailedPrecondition, ["staging_target_path"]),
        ["onto itself"] = (r => r.TargetPath = r.StagingTargetPath + "/./", StatusCode.InvalidArgument, ["target_path"]),
        ["context of 5 KB"] = (r => r.VolumeContext["k"] = new('x', 5000), StatusCode.InvalidArgument, ["volume_context"]),
        ["volume of another driver"] = (r => r.VolumeId = "fake-vol-id", StatusCode.NotFound, ["fake-vol-id"]),
    };

    public static TheoryData<string> PublishCases => [.. _publish.Keys];

    [Theory]
    [MemberData(nameof(PublishCases))]
    public async Task A_bad_publish_is_refused_at_the_door(string label)
    {
        var (breakIt, code, words) = _publish[label];
        var before = host.CallsBehindTheDoor;
        await CsiTestHost.AssertRefusedAsync(Client.NodePublishVolumeAsync(Publish(breakIt)), code, words);
        Assert.Equal(before, host.CallsBehindTheDoor);
    }

    [Fact]
    public async Task Staging_demands_volume_path_and_capability()
    {
        var before = host.CallsBehindTheDoor;
        await Refused(Client.NodeStageVolumeAsync(Stage(r => r.VolumeId = "")), "volume_id");
        await Refused(Client.NodeStageVolumeAsync(Stage(r => r.StagingTargetPath = "")), "staging_target_path");
        await Refused(Client.NodeStageVolumeAsync(Stage(r => r.VolumeCapability = null)), "volume_capability");
        await CsiTestHost.AssertRefusedAsync(
            Client.NodeStageVolumeAsync(Stage(r => r.VolumeId = "fake-vol-id")), StatusCode.NotFound, "fake-vol-id");
        await CsiTestHost.AssertRefusedAsync(
            Client.NodeStageVolumeAsync(Stage(r => r.VolumeCapability.AccessMode.Mode = Mode.MultiNodeReaderOnly)),
            StatusCode.FailedPrecondition,
            "MULTI_NODE_READER_ONLY");
        await Refused(Client.NodeUnstageVolumeAsync(new() { StagingTargetPath = host.Staging }), "volume_id");
        await Refused(Client.NodeUnpublishVolumeAsync(new() { TargetPath = host.Target }), "volume_id");
        await Refused(Client.NodeUnpublishVolumeAsync(new() { VolumeId = Known }), "target_path");
        Assert.Equal(before, host.CallsBehindTheDoor);
    }

    [Fact]
    public async Task Stats_and_expansion_demand_volume_and_path()
    {
        var before = host.CallsBehindTheDoor;
        await Refused(Client.NodeGetVolumeStatsAsync(new() { VolumePath = "some/path" }), "volume_id");
        await Refused(Client.NodeGetVolumeStatsAsync(new() { VolumeId = Known }), "volume_path");
        await CsiTestHost.AssertRefusedAsync(
            Client.NodeGetVolumeStatsAsync(new() { VolumeId = "fake-vol-id", VolumePath = "some/path" }),
            StatusCode.NotFound,
            "fake-vol-id");
        foreach (var elsewhere in new[] { "some/path", "/etc", host.Root + "/../x", host.Root + "/\0" })
        {
            await CsiTestHost.AssertRefusedAsync(
                Client.NodeGetVolumeStatsAsync(new() { VolumeId = Known, VolumePath = elsewhere }),
                StatusCode.NotFound,
                "volume_path");
        }

        await Refused(Client.NodeExpandVolumeAsync(new() { VolumePath = host.Target }), "volume_id");
        await CsiTestHost.AssertRefusedAsync(
            Client.NodeExpandVolumeAsync(new() { VolumeId = "fake-vol-id", VolumePath = "some/path" }),
            StatusCode.NotFound,
            "fake-vol-id");
        await Refused(Client.NodeExpandVolumeAsync(new() { VolumeId = Known }), "volume_path");
        await Refused(Client.NodeExpandVolumeAsync(new() { VolumeId = Known, VolumePath = "/etc" }), "volume_path");
        await Refused(
            Client.NodeExpandVolumeAsync(
                new() { VolumeId = Known, VolumePath = host.Target, CapacityRange = new() { RequiredBytes = -1 } }),
            "required_bytes");
        await Refused(
            Client.NodeExpandVolumeAsync(
                new() { VolumeId = Known, VolumePath = host.Target, CapacityRange = new() { RequiredBytes = 2, LimitBytes = 1 } }),
            "limit_bytes");
        Assert.Equal(before, host.CallsBehindTheDoor);
    }

    private static Task<string> Refused<T>(AsyncUnaryCall<T> call, params string[] words) =>
        CsiTestHost.AssertRefusedAsync(call, StatusCode.InvalidArgument, words);

    private NodeStageVolumeRequest Stage(Action<NodeStageVolumeRequest> change) => Change(
        new NodeStageVolumeRequest
        {
            VolumeId = Known,
            StagingTargetPath = host.Staging,
            VolumeCapability = Requests.Mount("ext4"),
        },
        change);

    private NodePublishVolumeRequest Publish(Action<NodePublishVolumeRequest> change) => Change(
        new NodePublishVolumeRequest
        {
            VolumeId = Known,
            StagingTargetPath = host.Staging,
            TargetPath = host.Target,
            VolumeCapability = Requests.Mount("ext4"),
        },
        change);

    private static T Change<T>(T request, Action<T> change)
        where T : IMessage
    {
        change(request);
        return request;
    }

    private void MakeLinks()
    {
        foreach (var (link, to) in new[] { ("link", host.Outside), ("pods/dangling", "/nowhere") })
        {
            var path = Path.Combine(host.Root, link);
            if (new FileInfo(path).LinkTarget is null)
            {
                File.CreateSymbolicLink(path, to);
            }
        }
    }
}
