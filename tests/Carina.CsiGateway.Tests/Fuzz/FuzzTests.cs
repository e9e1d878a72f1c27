using Carina.CsiGateway.Tests.Controller;
using Carina.CsiGateway.Tests.Hosting;
using Carina.Grains.Volumes;
using Csi.V1;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;

namespace Carina.CsiGateway.Tests.Fuzz;

/// <summary>Whatever callers send, they get an answer to act on: never a fault of ours, never an empty message.</summary>
public sealed class FuzzTests(CsiTestHost host) : IClassFixture<CsiTestHost>
{
    private const int RequestsPerMethod = 400;
    private const string Known = "volume-fuzz-mount";

    private static readonly string[] _offered = ["Identity", "Controller", "Node"];

    public static TheoryData<string> Methods =>
    [
        .. CsiReflection.Descriptor.Services.Where(service => _offered.Contains(service.Name))
            .SelectMany(service => service.Methods)
            .Select(method => method.FullName),
    ];

    [Theory]
    [MemberData(nameof(Methods))]
    public async Task Random_requests_meet_no_fault(string fullName)
    {
        // Set CARINA_FUZZ_SEED to the number in a failure's message to see it again.
        var seed = int.TryParse(Environment.GetEnvironmentVariable("CARINA_FUZZ_SEED"), out var given)
            ? given
            : Random.Shared.Next();
        var method = CsiReflection.Descriptor.Services.SelectMany(service => service.Methods)
            .Single(one => one.FullName == fullName);
        var messages = new RandomMessages(new Random(seed), Strings());
        var template = Templates().SingleOrDefault(one => one.Descriptor == method.InputType);
        var answered = 0;
        for (var i = 0; i < RequestsPerMethod; i++)
        {
            host.Cluster.Add("fuzz-mount");
            host.Cluster.Add("fuzz-block", VolumeAccess.Block);
            host.Cluster.Add("fuzz-elsewhere", VolumeAccess.FileSystem, "node-b");
            var request = i % 2 == 0 || template is null ? messages.Next(method.InputType) : messages.Mutate(template);
            try
            {
                await CallAsync(method, request);
                answered++;
            }
            catch (RpcException error)
            {
                var what = $"Seed {seed}, request {i} to {fullName}: {error.Status}; {Shorten(request.ToString()!)}";
                Assert.False(error.StatusCode is StatusCode.Internal or StatusCode.Unknown or StatusCode.Unavailable, what);
                Assert.False(string.IsNullOrWhiteSpace(error.Status.Detail), what);
                Assert.True(error.Status.Detail.Length <= 1024, what);
            }
        }

        Assert.True(answered > 0 || template is null, $"Seed {seed}: no request got through, so nothing was tested.");
        TestContext.Current.TestOutputHelper!.WriteLine($"Seed {seed}: {answered} of {RequestsPerMethod} were answered.");
    }

    /// <summary>
    /// What is not even a message: the code is the framework's choice (UNKNOWN), but nothing gets past the door and the
    /// next caller is served.
    /// </summary>
    [Theory]
    [InlineData("0A")]
    [InlineData("0AFFFFFFFF0F")]
    [InlineData("0A02FF00")]
    [InlineData("FFFFFFFFFFFFFFFFFFFF01")]
    [InlineData("0B")]
    public async Task Broken_bytes_reach_nobody(string hex)
    {
        var method = new Method<byte[], byte[]>(
            MethodType.Unary,
            "csi.v1.Controller",
            "CreateVolume",
            Marshallers.Create<byte[]>(bytes => bytes, bytes => bytes),
            Marshallers.Create<byte[]>(bytes => bytes, bytes => bytes));
        var before = host.CallsBehindTheDoor;
        var call = host.Channel.CreateCallInvoker()
            .AsyncUnaryCall(method, null, new CallOptions(), Convert.FromHexString(hex));
        var error = await Assert.ThrowsAsync<RpcException>(async () => await call);
        Assert.NotEmpty(error.Status.Detail);
        Assert.Equal(before, host.CallsBehindTheDoor);
        await host.IdentityClient.ProbeAsync(new());
    }

    private async Task CallAsync(MethodDescriptor method, IMessage request)
    {
        var rpc = new Method<IMessage, IMessage>(
            MethodType.Unary,
            method.Service.FullName,
            method.Name,
            Marshallers.Create<IMessage>(message => message.ToByteArray(), method.InputType.Parser.ParseFrom),
            Marshallers.Create<IMessage>(message => message.ToByteArray(), method.OutputType.Parser.ParseFrom));
        using var call = host.Channel.CreateCallInvoker()
            .AsyncUnaryCall(rpc, null, new CallOptions(deadline: DateTime.UtcNow.AddSeconds(30)), request);
        await call.ResponseAsync;
    }

    // Requests that succeed, so that their mutations get past the first checks.
    private List<IMessage> Templates() =>
    [
        Requests.Create("fuzz-new"),
        new ValidateVolumeCapabilitiesRequest { VolumeId = Known, VolumeCapabilities = { Requests.Mount("ext4") } },
        new ControllerPublishVolumeRequest { VolumeId = Known, NodeId = "node-a", VolumeCapability = Requests.Mount("ext4") },
        new ControllerExpandVolumeRequest
        {
            VolumeId = Known,
            CapacityRange = new() { RequiredBytes = 2 * Requests.GiB, LimitBytes = 3 * Requests.GiB },
            VolumeCapability = Requests.Mount("ext4"),
        },
        new ControllerModifyVolumeRequest
        {
            VolumeId = Known,
            MutableParameters = { ["carina.storage.io/read-ahead-kib"] = "64" },
        },
        new NodeStageVolumeRequest
        {
            VolumeId = Known,
            StagingTargetPath = host.Staging,
            VolumeCapability = Requests.Mount("ext4"),
            VolumeContext = { ["carina.storage.io/node"] = "node-a" },
        },
        new NodePublishVolumeRequest
        {
            VolumeId = Known,
            StagingTargetPath = host.Staging,
            TargetPath = host.Target,
            VolumeCapability = Requests.Mount("ext4"),
        },
        new NodeUnstageVolumeRequest { VolumeId = Known, StagingTargetPath = host.Staging },
        new NodeUnpublishVolumeRequest { VolumeId = Known, TargetPath = host.Target },
        new NodeExpandVolumeRequest
        {
            VolumeId = Known,
            VolumePath = host.Target,
            StagingTargetPath = host.Staging,
            CapacityRange = new() { RequiredBytes = Requests.GiB },
            VolumeCapability = Requests.Mount("ext4"),
        },
    ];

    private List<string> Strings() =>
    [
        "", "a", "pvc-1", "volume-fuzz-mount", "volume-fuzz-block", "volume-fuzz-elsewhere", "volume-nobody", "fake-vol-id",
        "volume-", "volume-../x", "..", ".", "/", "//", "\0", "a\nb", "node-a", "node-b", "node-x", "ext4", "EXT4", "xfs", "btrfs",
        "ext3", "rw", "ro", "noatime", "bind", "loop=/etc", "-o", "1000", "-1", "4294967295", "0", "true", "false", "ssd",
        "carina.storage.io/disk-group-name", "carina.storage.io/disk-type", "carina.storage.io/read-ahead-kib",
        "carina.storage.io/cache-disk-ratio", "csi.storage.k8s.io/pvc/name", "topology.carina.storage.io/node",
        host.Staging, host.Target, host.Root, host.Root + "/../x", host.Root + "/" + new string('d', 300),
        host.Outside, "dm9sdW1lLWZ1enotbW91bnQ", "invalid-token", new string('x', 129), new string('y', 5000), "имя", "🦀",
    ];

    private static string Shorten(string text) => text.Length <= 2000 ? text : text[..2000] + "…";
}
