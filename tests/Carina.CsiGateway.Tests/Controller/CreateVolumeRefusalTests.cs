using Carina.CsiGateway.Tests.Hosting;
using Csi.V1;
using Grpc.Core;
using static Carina.CsiGateway.Tests.Controller.Requests;
using Mode = Csi.V1.VolumeCapability.Types.AccessMode.Types.Mode;

namespace Carina.CsiGateway.Tests.Controller;

public sealed class CreateVolumeRefusalTests(CsiTestHost host) : IClassFixture<CsiTestHost>
{
    private const string Group = "carina.storage.io/disk-group-name";
    private const string OldGroup = "carina.storage.io/disk-type";
    private const string CacheGroup = "carina.storage.io/cache-disk-group-name";
    private const string CacheRatio = "carina.storage.io/cache-disk-ratio";
    private const string ReadAhead = "carina.storage.io/read-ahead-kib";

    private static readonly Dictionary<string, (Action<CreateVolumeRequest> Break, StatusCode Code, string[] Words)> _cases = new()
    {
        ["no name"] = (r => r.Name = "", StatusCode.InvalidArgument, ["name", "missing"]),
        ["name with a slash"] = (r => r.Name = "a/b", StatusCode.InvalidArgument, ["name", "slashes"]),
        ["name that climbs"] = (r => r.Name = "../../etc", StatusCode.InvalidArgument, ["name"]),
        ["name of 129 bytes"] = (r => r.Name = new('a', 129), StatusCode.InvalidArgument, ["name", "129"]),
        ["name of 65 letters of two bytes"] = (r => r.Name = new('я', 65), StatusCode.InvalidArgument, ["name", "130"]),
        ["name of 1 MiB"] = (r => r.Name = new('a', 1 << 20), StatusCode.InvalidArgument, ["name", "1048576"]),
        ["name with NUL"] = (r => r.Name = "a\0b", StatusCode.InvalidArgument, ["name", "control"]),
        ["name with a line break"] = (r => r.Name = "a\nb", StatusCode.InvalidArgument, ["name", "control"]),
        ["no capabilities"] = (r => r.VolumeCapabilities.Clear(), StatusCode.InvalidArgument, ["volume_capabilities"]),
        ["no access type"] = Capability(c => c.ClearAccessType(), "volume_capabilities[0].access_type"),
        ["no access mode"] = Capability(c => c.AccessMode = null, "volume_capabilities[0].access_mode"),
        ["unknown access mode"] = Capability(c => c.AccessMode.Mode = Mode.Unknown, "access_mode"),
        ["access mode of the future"] = Capability(c => c.AccessMode.Mode = (Mode)99, "access_mode"),
        ["many readers"] = Capability(c => c.AccessMode.Mode = Mode.MultiNodeReaderOnly, "access_mode", "one node"),
        ["many nodes, one writer"] = Capability(c => c.AccessMode.Mode = Mode.MultiNodeSingleWriter, "access_mode"),
        ["many writers"] = Capability(c => c.AccessMode.Mode = Mode.MultiNodeMultiWriter, "MULTI_NODE_MULTI_WRITER"),
        ["unknown file system"] = Capability(c => c.Mount.FsType = "zfs", "fs_type", "ext4, xfs, btrfs"),
        ["endless file system"] = Capability(c => c.Mount.FsType = new('x', 1 << 20), "fs_type"),
        ["option that is empty"] = Capability(c => c.Mount.MountFlags.Add(""), "mount_flags"),
        ["option that looks like a switch"] = Capability(c => c.Mount.MountFlags.Add("--bind"), "mount_flags"),
        ["option that moves the mount"] = Capability(c => c.Mount.MountFlags.Add("noatime,bind"), "mount_flags", "bind"),
        ["too many options"] = Capability(c => c.Mount.MountFlags.Add(new string('x', 5000)), "mount_flags"),
        ["ro and rw"] = Capability(c => c.Mount.MountFlags.Add(["ro", "rw"]), "mount_flags"),
        ["reader with rw"] = Capability(
            c => c.MergeFrom(Mount("", Mode.SingleNodeReaderOnly, "rw")), "mount_flags", "SINGLE_NODE_READER_ONLY"),
        ["group with a name"] = Capability(c => c.Mount.VolumeMountGroup = "wheel", "volume_mount_group"),
        ["negative group"] = Capability(c => c.Mount.VolumeMountGroup = "-1", "volume_mount_group"),
        ["block and mount"] = (r => r.VolumeCapabilities.Add(Block()), StatusCode.InvalidArgument, ["block and mount"]),
        ["two file systems"] = (r => r.VolumeCapabilities.Add(Mount("xfs")), StatusCode.InvalidArgument, ["ext4, xfs"]),
        ["size of -1"] = Size(-1, 0, StatusCode.InvalidArgument, "required_bytes", "-1"),
        ["limit of -1"] = Size(GiB, -1, StatusCode.InvalidArgument, "limit_bytes", "-1"),
        ["limit below size"] = Size(2 * GiB, GiB, StatusCode.InvalidArgument, "limit_bytes", "required_bytes"),
        ["size of 2^63-1"] = Size(long.MaxValue, 0, StatusCode.OutOfRange, "required_bytes"),
        ["size and limit of 2^63-1"] = Size(long.MaxValue, long.MaxValue, StatusCode.OutOfRange, "required_bytes"),
        ["xfs below its minimum"] = (
            r =>
            {
                r.VolumeCapabilities[0].Mount.FsType = "xfs";
                r.CapacityRange = new() { RequiredBytes = 1 << 20, LimitBytes = 100 << 20 };
            },
            StatusCode.OutOfRange,
            ["limit_bytes", "xfs", "314572800"]),
        ["content source"] = (
            r => r.VolumeContentSource = new() { Snapshot = new() { SnapshotId = "s" } },
            StatusCode.InvalidArgument,
            ["volume_content_source"]),
        ["unknown parameter"] = Parameter("carina.storage.io/disk-groop", "x", "disk-groop", Group),
        ["parameter of another driver"] = Parameter("type", "thin", "\"type\""),
        ["4 KiB of parameters"] = Parameter("csi.storage.k8s.io/pvc/name", new('x', 4096), "parameters", "4096"),
        ["two groups"] = Parameter(OldGroup, "other", Group, OldGroup),
        ["group that is a path"] = Parameter(Group, "a b;c", Group),
        ["a cache"] = Parameter(CacheRatio, "10", CacheRatio, "not yet supported by this release"),
        ["a cache by its group"] = Parameter(CacheGroup, "ssd", CacheGroup, "not yet supported by this release"),
        ["a raw disk"] = Parameter(
            "carina.storage.io/exclusively-raw-disk", "true", "exclusively-raw-disk", "not yet supported by this release"),
        ["a switch that is neither"] = Parameter(
            "carina.storage.io/allow-pod-migration-if-node-notready", "maybe", "\"maybe\""),
        ["a hand-over that nobody knows"] = Parameter(
            "carina.storage.io/failover-hand-over", "Lapsed", "\"Lapsed\"", "fenced, guarded, lapsed"),
        ["a fate of the data that nobody knows"] = Parameter(
            "carina.storage.io/failover-data", "mirror", "\"mirror\"", "fresh, copy or copy-if-reachable"),
        ["unknown mutable parameter"] = Mutable("XXX_FakeKey", "1", "XXX_FakeKey", ReadAhead),
        ["negative read-ahead"] = Mutable(ReadAhead, "-1", ReadAhead, "131072"),
        ["huge read-ahead"] = Mutable(ReadAhead, "131073", ReadAhead),
        ["read-ahead in words"] = Mutable(ReadAhead, "much", ReadAhead),
        ["topology without segments"] = (
            r => r.AccessibilityRequirements = new() { Requisite = { new Topology() } },
            StatusCode.InvalidArgument,
            ["accessibility_requirements.requisite[0].segments"]),
        ["topology of 5 KB"] = (
            r => r.AccessibilityRequirements = new()
            {
                Preferred = { new Topology { Segments = { ["k"] = new('x', 5000) } } },
            },
            StatusCode.InvalidArgument,
            ["accessibility_requirements.preferred[0].segments"]),
    };

    public static TheoryData<string> Cases => [.. _cases.Keys];

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task A_bad_request_is_refused_at_the_door(string label)
    {
        var (breakIt, code, words) = _cases[label];
        var request = Create();
        breakIt(request);
        var before = host.CallsBehindTheDoor;
        await CsiTestHost.AssertRefusedAsync(host.ControllerClient.CreateVolumeAsync(request), code, words);
        Assert.Equal(before, host.CallsBehindTheDoor);
    }

    [Fact]
    public async Task Mount_options_may_be_secret_and_are_not_repeated()
    {
        var request = Create();
        request.VolumeCapabilities[0].Mount.MountFlags.Add("loop=hunter2");
        var message = await CsiTestHost.AssertRefusedAsync(
            host.ControllerClient.CreateVolumeAsync(request), StatusCode.InvalidArgument, "mount_flags", "loop");
        Assert.DoesNotContain("hunter2", message, StringComparison.Ordinal);
    }

    private static (Action<CreateVolumeRequest>, StatusCode, string[]) Capability(
        Action<VolumeCapability> change, params string[] words) =>
        (r => change(r.VolumeCapabilities[0]), StatusCode.InvalidArgument, words);

    private static (Action<CreateVolumeRequest>, StatusCode, string[]) Size(
        long required, long limit, StatusCode code, params string[] words) =>
        (r => r.CapacityRange = new() { RequiredBytes = required, LimitBytes = limit }, code, words);

    private static (Action<CreateVolumeRequest>, StatusCode, string[]) Parameter(
        string key, string value, params string[] words) =>
        (r => r.Parameters[key] = value, StatusCode.InvalidArgument, words);

    private static (Action<CreateVolumeRequest>, StatusCode, string[]) Mutable(
        string key, string value, params string[] words) =>
        (r => r.MutableParameters[key] = value, StatusCode.InvalidArgument, words);
}
