using Carina.E2E.Tests.Clusters;
using Carina.Grains.Telemetry;
using Carina.Harness.Cluster;
using Carina.Harness.Policies;
using Carina.Harness.Sidecars;
using Grpc.Core;

namespace Carina.E2E.Tests.Traces;

/// <summary>One intention of a user is one trace, over all processes, down to the command that does the work.</summary>
public abstract class TraceTests(TracedCluster fixture) : ClusterTest(fixture)
{
    private static readonly TimeSpan _exportTime = TimeSpan.FromSeconds(30);

    /// <summary>Whether a span is the one of the command that makes a volume on disk.</summary>
    protected abstract bool IsCreateCommand(ReceivedSpan span);

    [Fact]
    public async Task Creating_a_volume_is_one_trace_from_the_call_to_the_command()
    {
        var trace = Convert.ToHexStringLower(Guid.NewGuid().ToByteArray());
        var call = ProvisionerSim.ToCall(new() { Bytes = 64 * MiB }, selectedNode: null);
        var response = await Controller.CreateVolumeAsync(call, Headers(trace), cancellationToken: Stop);
        var handle = response.Volume.VolumeId;
        try
        {
            var spans = await WaitForAsync(trace, found => found.Any(IsCreateCommand) && found.Any(IsCreateCall));
            Assert.Contains(spans, s => s.Service == "carina-controller" && IsCreateCall(s));
            Assert.Contains(spans, s => s.Service == "carina-controller" && s.Name.Contains("IVolumeGrain", StringComparison.Ordinal));
            Assert.Contains(spans, s => s.Name.Contains("INodeGrain", StringComparison.Ordinal));
            Assert.Contains(spans, s => s.Service == "carina-node" && s.Name.Contains("INodeAgent", StringComparison.Ordinal));
            Assert.Contains(spans, s => s.Service == "carina-node" && s.Name == "pool create");
            Assert.All(spans, s => Assert.Contains(
                handle, s.Attributes.GetValueOrDefault(CarinaTelemetry.VolumeIdTag, $"(none on '{s.Name}')"), StringComparison.Ordinal));
            RequireConnected(spans);
        }
        finally
        {
            await Controller.DeleteVolumeAsync(new() { VolumeId = handle }, cancellationToken: Stop);
        }
    }

    [Fact]
    public async Task Staging_a_volume_is_one_trace_down_to_mkfs()
    {
        var volume = await ProvisionAsync(new() { Bytes = 64 * MiB, FileSystem = "ext4" });
        var node = Cluster.Node(volume.Node);
        var trace = Convert.ToHexStringLower(Guid.NewGuid().ToByteArray());
        Directory.CreateDirectory(node.Kubelet.StagingPath(volume));
        await node.Csi.Node.NodeStageVolumeAsync(
            new()
            {
                VolumeId = volume.Handle,
                StagingTargetPath = node.Kubelet.StagingPath(volume),
                VolumeCapability = volume.Capability,
            },
            Headers(trace),
            cancellationToken: Stop);
        await node.Kubelet.UnstageAsync(volume, Stop);
        var spans = await WaitForAsync(trace, found => found.Any(s => s.Name.StartsWith("mkfs", StringComparison.Ordinal)));
        Assert.All(spans, s => Assert.Equal(
            volume.Handle, s.Attributes.GetValueOrDefault(CarinaTelemetry.VolumeIdTag, $"(none on '{s.Name}')")));
    }

    private static bool IsCreateCall(ReceivedSpan span) => span.Name.Contains("CreateVolume", StringComparison.Ordinal);

    // The caller is the trace's beginning: sampled, and known by these numbers (W3C Trace Context).
    private static Metadata Headers(string trace) => new() { { "traceparent", $"00-{trace}-00f067aa0ba902b7-01" } };

    private async Task<IReadOnlyList<ReceivedSpan>> WaitForAsync(
        string trace, Func<IReadOnlyList<ReceivedSpan>, bool> complete)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        limit.CancelAfter(_exportTime);
        IReadOnlyList<ReceivedSpan> Own() => [.. fixture.Receiver.Spans.Where(s => s.TraceId == trace)];
        while (!complete(Own()))
        {
            Assert.False(limit.IsCancellationRequested, $"Only these spans came: {string.Join(", ", Own().Select(s => $"{s.Service}: {s.Name}"))}");
            await Task.Delay(50, Stop);
        }

        // The other processes export in their own time.
        await Task.Delay(TimeSpan.FromSeconds(1), Stop);
        return Own();
    }

    // Each span's parent is in the trace, too, or is the caller.
    private static void RequireConnected(IReadOnlyList<ReceivedSpan> spans)
    {
        var known = spans.Select(s => s.SpanId).Append("00f067aa0ba902b7").ToHashSet();
        Assert.Empty(spans.Where(s => !known.Contains(s.ParentId)).Select(s => $"{s.Service}: {s.Name}"));
    }
}

/// <summary>One node and a controller that export their spans to this process.</summary>
public abstract class TracedCluster(StoragePolicy policy) : ClusterFixture(policy)
{
    private SpanReceiver? _receiver;

    public SpanReceiver Receiver => _receiver ?? throw new InvalidOperationException("The receiver is not started.");

    public override async ValueTask InitializeAsync()
    {
        _receiver = await SpanReceiver.StartAsync(TestContext.Current.CancellationToken);
        await base.InitializeAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await base.DisposeAsync();
        if (_receiver is not null)
        {
            await _receiver.DisposeAsync();
        }
    }

    protected override ClusterOptions Describe(StoragePolicy policy) => new()
    {
        Policy = policy,
        Nodes = NodeSpec.Many(1, 1L << 30),
        Environment = new Dictionary<string, string>
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = Receiver.Endpoint,
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
            ["OTEL_BSP_SCHEDULE_DELAY"] = "100",
        },
    };
}

public sealed class TracedFileCluster() : TracedCluster(StoragePolicy.File);

public sealed class TracedLvmCluster() : TracedCluster(StoragePolicy.Lvm);

public sealed class FileTraceTests(TracedFileCluster fixture) : TraceTests(fixture), IClassFixture<TracedFileCluster>
{
    // A file is made by system calls, within the span of the pool's batch.
    protected override bool IsCreateCommand(ReceivedSpan span) => span is { Service: "carina-node", Name: "pool create" };
}

[Trait(Kernel.Trait, Kernel.DeviceMapper)]
public sealed class LvmTraceTests(TracedLvmCluster fixture) : TraceTests(fixture), IClassFixture<TracedLvmCluster>
{
    protected override bool IsCreateCommand(ReceivedSpan span) =>
        span.Service == "carina-node" && span.Name.Contains("lvcreate", StringComparison.Ordinal);
}
