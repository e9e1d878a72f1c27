using System.Diagnostics;
using System.Text;
using Carina.E2E.Tests.Clusters;
using Carina.Grains;
using Carina.Harness.Cluster;
using Carina.Harness.Kubernetes;
using Carina.Harness.Processes;
using Carina.Harness.Sidecars;
using k8s;

namespace Carina.E2E.Tests.Kubernetes;

/// <summary>
/// A node that nobody hears of has stopped writing to its guarded volumes before the others may take them: a real silo,
/// API server, guard process and file system.
/// </summary>
[Collection(KubernetesCollection.Name)]
public sealed class FencingByLeaseTests(ThreeKubernetesNodes fixture) : ClusterTest(fixture)
{
    private const string NodeName = "node-2";

    // NodeLeaseOptions.Duration.
    private const double LeaseSeconds = 15;

    private ControlPlane Plane => fixture.Truth.Plane;

    private ClusterNode Node => Cluster.Node(NodeName);

    [Fact]
    public async Task A_silo_that_is_stopped_has_a_guard_beside_it_that_keeps_its_word()
    {
        var volume = await ProvisionAsync(Guarded, NodeName);
        await using var guard = StartGuard();
        await using (var pod = await RunPodAsync(volume))
        {
            using var writer = new Recorder(pod.File("records"));
            await writer.WaitAsync(50);
            var stopped = Stopwatch.GetTimestamp();
            Node.Process!.Freeze();
            try
            {
                await AssertStopsInTimeAsync(writer, stopped);
            }
            finally
            {
                Node.Process.Thaw();
            }

            // It has learnt that the volume is cut off, says so, and hands it to nobody.
            await Eventually.ReadAsync("the lease to say it", ReadFencedAsync, fenced => fenced == volume.Handle, Stop);
            await RequireErrorAsync(Grpc.Core.StatusCode.FailedPrecondition, () => Node.Kubelet.PublishAsync(volume, "another-pod", Stop));
            await Node.Kubelet.UnpublishAsync(volume, "another-pod", Stop);
        }

        await AssertUsableAgainAsync(volume);
    }

    [Fact]
    public async Task A_node_that_is_cut_off_alone_stops_writing_in_time()
    {
        var volume = await ProvisionAsync(Guarded, NodeName);
        await using (var pod = await RunPodAsync(volume))
        {
            using var writer = new Recorder(pod.File("records"));
            await writer.WaitAsync(50);
            var others = Cluster.Members.Where(member => member.Name != NodeName).Select(member => member.Process!).ToList();
            var cutOff = Stopwatch.GetTimestamp();
            Plane.FreezeApiServer();
            others.ForEach(other => other.Freeze());
            try
            {
                // Nobody says that the API server is away for all: for what this node knows, it is alone.
                await AssertStopsInTimeAsync(writer, cutOff);
            }
            finally
            {
                Plane.ThawApiServer();
                others.ForEach(other => other.Thaw());
            }

            await Eventually.ReadAsync("the lease to say it", ReadFencedAsync, fenced => fenced == volume.Handle, Stop);
        }

        await AssertUsableAgainAsync(volume);
    }

    [Fact]
    public async Task A_pod_that_opts_in_while_it_runs_is_guarded_from_then_on_and_until_it_opts_out()
    {
        var volume = await ProvisionAsync(new() { Bytes = 64 * MiB, FileSystem = "ext4" }, NodeName);
        var pod = await Plane.Admin.CoreV1.CreateNamespacedPodAsync(
            new()
            {
                Metadata = new() { Name = "changes-its-mind" },
                Spec = new() { NodeName = NodeName, Containers = [new() { Name = "main", Image = "none" }] },
            },
            "default",
            cancellationToken: Stop);
        await Node.Kubelet.StageAsync(volume, Stop);
        await Node.Kubelet.PublishAsync(volume, pod.Metadata.Uid, Stop);
        try
        {
            Assert.Equal("", await ReadGuardAsync(volume));
            await Plane.KubectlAsync("annotate", "pod", pod.Metadata.Name, CarinaNames.AllowMigration + "=true");
            await Eventually.ReadAsync("the volume to be guarded", () => ReadGuardAsync(volume), node => node == NodeName, Stop);
            Assert.Equal("true", await ReadGuardedAsync());

            await Plane.KubectlAsync("annotate", "pod", pod.Metadata.Name, CarinaNames.AllowMigration + "-");
            await Eventually.ReadAsync("the record to be told", () => ReadGuardAsync(volume), node => node == "", Stop);
            await Eventually.ReadAsync("the lease to say it", ReadGuardedAsync, guarded => guarded == "false", Stop);
        }
        finally
        {
            await Node.Kubelet.UnpublishAsync(volume, pod.Metadata.Uid, CancellationToken.None);
            await Node.Kubelet.UnstageAsync(volume, CancellationToken.None);
            await Plane.Admin.CoreV1.DeleteNamespacedPodAsync(pod.Metadata.Name, "default", gracePeriodSeconds: 0, cancellationToken: CancellationToken.None);
        }
    }

    private static VolumeRequest Guarded => new()
    {
        Bytes = 64 * MiB,
        FileSystem = "ext4",
        Parameters = new Dictionary<string, string> { [CarinaNames.AllowMigration] = "true" },
    };

    // The last renewal was before the stop, at most its interval of three seconds.
    private static async Task AssertStopsInTimeAsync(Recorder writer, long since)
    {
        await writer.WaitForEndAsync();
        var last = Stopwatch.GetElapsedTime(since, writer.LastAcknowledged).TotalSeconds;
        TestContext.Current.SendDiagnosticMessage($"The last record was acknowledged after {last:F2} s");
        Assert.InRange(last, 7, LeaseSeconds);
    }

    /// <summary>Once no pod holds it, the fence goes by itself, and the volume has what was acknowledged.</summary>
    private async Task AssertUsableAgainAsync(PersistentVolume volume)
    {
        await Eventually.ReadAsync("the fence to be lifted", ReadFencedAsync, fenced => fenced == "", Stop);
        await using var pod = await RunPodAsync(volume);
        Assert.True(new FileInfo(pod.File("records")).Length > 0);
        await File.WriteAllTextAsync(pod.File("more"), "written", Stop);
    }

    /// <summary>The node that the volume's record says guards it.</summary>
    private Task<string> ReadGuardAsync(PersistentVolume volume) => Plane.KubectlAsync(
        "get", "logicvolume", volume.Handle["volume-".Length..], "--output=jsonpath={.spec.guard.nodeName}");

    private Task<string> ReadFencedAsync() => ReadLeaseAsync("carina.storage.io/fenced");

    private Task<string> ReadGuardedAsync() => ReadLeaseAsync("carina.storage.io/guarded");

    private async Task<string> ReadLeaseAsync(string annotation) =>
        (await Plane.Admin.CoordinationV1.ReadNamespacedLeaseAsync("carina-node-" + NodeName, KubernetesTruth.Namespace, cancellationToken: Stop))
        .Metadata.Annotations[annotation];

    private SiloProcess StartGuard() => SiloProcess.Start(
        "guard",
        BuiltAssemblies.Silo,
        [
            "guard", "--node-name", NodeName, "--state-directory", Node.Directory, "--run-directory", Path.Combine(Node.Directory, "run"),
            "--path-roots", Node.Kubelet.Root,
        ],
        new Dictionary<string, string>(),
        Path.Combine(Cluster.LogDirectory, "guard.log"));

    /// <summary>Appends lines and has each written down, until that fails.</summary>
    private sealed class Recorder : IDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _writing;
        private int _count;
        private long _last;

        public Recorder(string path) => _writing = Task.Factory.StartNew(
            () => Write(path), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

        public long LastAcknowledged => Volatile.Read(ref _last);

        public async Task WaitAsync(int count)
        {
            while (Volatile.Read(ref _count) < count)
            {
                Assert.False(_writing.IsCompleted, "Nothing can be written.");
                await Task.Delay(20, Stop);
            }
        }

        /// <summary>Waits until a write has failed.</summary>
        public Task<IOException> WaitForEndAsync() => Assert.ThrowsAnyAsync<IOException>(() => _writing.WaitAsync(TimeSpan.FromSeconds(60), Stop));

        public void Dispose()
        {
            _stop.Cancel();
            ((IAsyncResult)_writing).AsyncWaitHandle.WaitOne(TimeSpan.FromSeconds(10));
            _stop.Dispose();
        }

        private void Write(string path)
        {
            using var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write, FileShare.ReadWrite, FileOptions.WriteThrough);
            for (var number = 0L; !_stop.IsCancellationRequested; number++)
            {
                RandomAccess.Write(file, Encoding.ASCII.GetBytes($"{number:D15}\n"), number % 65536 * 16);
                RandomAccess.FlushToDisk(file);
                Volatile.Write(ref _last, Stopwatch.GetTimestamp());
                Interlocked.Increment(ref _count);
            }
        }
    }
}
