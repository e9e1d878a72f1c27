using System.Collections.Concurrent;
using Carina.Grains;
using Carina.Harness.Cluster;
using Carina.Harness.Kubelet;
using Carina.Harness.Kubernetes;
using Carina.Harness.Policies;
using Carina.Harness.Processes;
using Carina.Harness.Sidecars;
using k8s;
using k8s.Models;

namespace Carina.Harness.Failover;

/// <summary>
/// Three FILE nodes with silos of their own and two controllers, against a whole control plane: StatefulSets are made real,
/// pods are scheduled, and what kubelet does with volumes is done by calls to the silos' CSI sockets. One node is on a
/// cable of its own, with a guard process beside its silo.
/// </summary>
public partial class FailoverLab : IAsyncDisposable
{
    /// <summary>Namespace of the pods.</summary>
    public const string Namespace = "default";

    /// <summary>The node that can be cut off.</summary>
    public const string CabledNode = "node-2";

    /// <summary><c>failover</c> in the controllers' <c>config.json</c>.</summary>
    public const string Failover = """{"fastDetection": true}""";

    private readonly Func<CancellationToken> _stop;
    private readonly long _diskBytes;
    private readonly ConcurrentDictionary<string, PersistentVolume> _volumes = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, byte> _dead = new(StringComparer.Ordinal);
    private NodeCable? _cable;
    private KubernetesTruth? _truth;
    private EmbeddedCluster? _cluster;
    private FakeKubelet? _kubelet;
    private SiloProcess? _guard;

    /// <param name="stop">What ends all calls from now on.</param>
    /// <param name="diskBytes">Size of each node's disk; sparse.</param>
    public FailoverLab(Func<CancellationToken> stop, long diskBytes = 3L << 30) => (_stop, _diskBytes) = (stop, diskBytes);

    public EmbeddedCluster Cluster => _cluster ?? throw new InvalidOperationException("The cluster is not started.");

    public KubernetesTruth Truth => _truth ?? throw new InvalidOperationException("The API server is not started.");

    public NodeCable Cable => _cable ?? throw new InvalidOperationException("The cable is not laid.");

    public IKubernetes Api => Truth.Plane.Admin;

    /// <summary>What the kubelets complained of.</summary>
    public IReadOnlyCollection<string> KubeletErrors => _kubelet?.Errors ?? [];

    private CancellationToken Stop => _stop();

    /// <summary>Starts everything. Whoever calls it disposes of this, also when it fails.</summary>
    public async Task StartAsync()
    {
        var nodes = NodeSpec.Many(3, _diskBytes);
        _cable = await NodeCable.LayAsync(CabledNode, Stop);
        _truth = await KubernetesTruth.StartAsync(nodes, alive: true, Stop, _cable);
        _cluster = await EmbeddedCluster.StartAsync(
            new()
            {
                Policy = StoragePolicy.File,
                Nodes = nodes,
                Kubernetes = _truth.Store,
                Cable = _cable,
                MoreControllers = 1,

                // As in production, with some patience for two cores that all of this shares.
                ProbeTimeout = TimeSpan.FromSeconds(2),
                Failover = Failover,
            },
            Stop);
        StartGuard();
        _kubelet = FakeKubelet.Start(Api, _truth.Nodes, new()
        {
            BeforeRunning = StartPodAsync,
            BeforeGone = EndPodAsync,
        });
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (_kubelet is not null)
        {
            await _kubelet.DisposeAsync();
        }

        if (_guard is not null)
        {
            await _guard.DisposeAsync();
        }

        if (_cluster is not null)
        {
            await _cluster.ClearKubeletsAsync();
            await _cluster.RemoveAsync();
        }

        if (_truth is not null)
        {
            await _truth.DisposeAsync();
        }

        if (_cable is not null)
        {
            await _cable.DisposeAsync();
        }
    }

    /// <summary>A StatefulSet of one pod that opted in to failover, with a bound claim on a node; returns when the pod runs.</summary>
    public Task<(PersistentVolume Volume, V1Pod Pod)> RunAsync(string name, string node) =>
        RunAsync(name, node, new Dictionary<string, string> { [CarinaNames.AllowMigration] = "true" });

    /// <inheritdoc cref="RunAsync(string, string)"/>
    /// <param name="name">Its name.</param>
    /// <param name="node">Where its volume is.</param>
    /// <param name="annotations">The pod's annotations.</param>
    public async Task<(PersistentVolume Volume, V1Pod Pod)> RunAsync(string name, string node, IDictionary<string, string> annotations)
    {
        var (volumes, pod) = await RunAsync(name, node, annotations, ["data-" + name]);
        return (volumes[0], pod);
    }

    /// <summary>Asks for something, as an operator does.</summary>
    public Task AnnotateAsync(PersistentVolume volume, string key, string value)
    {
        ArgumentNullException.ThrowIfNull(volume);
        return Truth.Plane.KubectlAsync("annotate", "lv", volume.Name, "--overwrite", $"{key}={value}");
    }

    /// <summary>As <see cref="RunAsync(string, string)"/>, with several claims.</summary>
    public async Task<(IReadOnlyList<PersistentVolume> Volumes, V1Pod Pod)> RunAsync(
        string name, string node, IDictionary<string, string> annotations, IReadOnlyList<string> claims)
    {
        var volumes = new List<PersistentVolume>();
        foreach (var claim in claims)
        {
            volumes.Add(await ProvisionAsync(claim, node));
        }

        await Api.AppsV1.CreateNamespacedStatefulSetAsync(StatefulSet(name, annotations, claims), Namespace, cancellationToken: Stop);
        return (volumes, await WaitUntilRunningAsync(name, pod => pod.Spec.NodeName == node));
    }

    /// <summary>Waits until the set's pod runs, as it should.</summary>
    public Task<V1Pod> WaitUntilRunningAsync(string name, Func<V1Pod, bool> isRight, TimeSpan? limit = null) => Eventually.ReadAsync(
        $"pod {name}-0 to run as it should",
        () => Api.CoreV1.ReadNamespacedPodAsync($"{name}-0", Namespace, cancellationToken: Stop),
        pod => pod.Status.Phase == "Running" && pod.Metadata.DeletionTimestamp is null && isRight(pod),
        Stop,
        limit);

    /// <summary>Waits until another pod of that set runs on another node.</summary>
    public Task<V1Pod> WaitUntilMovedAsync(V1Pod from, TimeSpan? limit = null) => WaitUntilRunningAsync(
        from.Metadata.Name[..^"-0".Length],
        pod => pod.Metadata.Uid != from.Metadata.Uid && pod.Spec.NodeName != from.Spec.NodeName,
        limit);

    /// <summary>Waits until no move of the volume is under way; the history of all there were.</summary>
    public Task<string> WaitUntilSettledAsync(PersistentVolume volume) => Eventually.ReadAsync(
        "the move to be over",
        () => ReadAsync(volume, "{.spec.move.phase}|{.spec.history[*].what}"),
        text => text.StartsWith('|'),
        Stop);

    /// <summary>A field of the volume's LogicVolume, by its JSONPath.</summary>
    public Task<string> ReadAsync(PersistentVolume volume, string path)
    {
        ArgumentNullException.ThrowIfNull(volume);
        return Truth.Plane.KubectlAsync("get", "lv", volume.Name, "--output", "jsonpath=" + path);
    }

    /// <summary>Path of a file on the volume as the pod sees it.</summary>
    public string FileOf(V1Pod pod, PersistentVolume volume, string file)
    {
        ArgumentNullException.ThrowIfNull(pod);
        return Path.Combine(Cluster.Node(pod.Spec.NodeName).Kubelet.TargetPath(volume, pod.Metadata.Uid), file);
    }

    /// <summary>The node's kubelet falls silent: nothing is unmounted any more. Kubernetes has not noticed yet.</summary>
    public void SilenceKubelet(string node)
    {
        _dead[node] = 0;
        Truth.Nodes.PauseLease(node);
    }

    /// <summary>The node's kubelet ends: nobody reports, and Kubernetes has noticed that.</summary>
    public async Task StopKubeletAsync(string node)
    {
        SilenceKubelet(node);
        await Truth.Nodes.SetReadyAsync(node, false, Stop);
    }

    public async Task StartKubeletAsync(string node)
    {
        _dead.TryRemove(node, out _);
        Truth.Nodes.ResumeLease(node);
        await Truth.Nodes.SetReadyAsync(node, true, Stop);
    }

    /// <summary>The cabled node's power fails: silo, guard and kubelet are gone, and no machine answers there.</summary>
    public async Task CutPowerAsync()
    {
        await Cable.CutAsync(Cut.All, Stop);
        SilenceKubelet(CabledNode);
        await StopGuardAsync();
        await Cluster.Node(CabledNode).KillAsync(Stop);
    }

    /// <summary>The cabled node is whole again, its driver started anew.</summary>
    public async Task ReviveAsync()
    {
        await Cable.CutAsync(Cut.None, Stop);
        var node = Cluster.Node(CabledNode);
        if (node.Process is not null)
        {
            await node.KillAsync(Stop);
        }

        await StopGuardAsync();
        StartGuard();
        await Cluster.RestartAsync(node, Stop);
        await StartKubeletAsync(CabledNode);
    }

    /// <summary>The controller that runs the coordinator.</summary>
    public Carina.Harness.Cluster.ClusterMember FindCoordinator() => Cluster.Controllers
        .Where(controller => controller.IsRunning)
        .MaxBy(controller => File.ReadLines(LogOf(controller)).LastOrDefault(l => l.Contains("The failover coordinator runs here", StringComparison.Ordinal)) ?? "")!;

    private string LogOf(Carina.Harness.Cluster.ClusterMember member) => Path.Combine(Cluster.LogDirectory, member.Name + ".log");

    private void StartGuard()
    {
        var node = Cluster.Node(CabledNode);
        _guard = SiloProcess.Start(
            "guard",
            BuiltAssemblies.Silo,
            [
                "guard", "--node-name", CabledNode, "--state-directory", node.Directory,
                "--run-directory", Path.Combine(node.Directory, "run"), "--path-roots", node.Kubelet.Root,
            ],
            new Dictionary<string, string>(),
            Path.Combine(Cluster.LogDirectory, "guard.log"));
    }

    /// <summary>Ends the guard process of the cabled node.</summary>
    public async Task StopGuardAsync()
    {
        if (_guard is { } guard)
        {
            _guard = null;
            await guard.DisposeAsync();
        }
    }

    private async Task<PersistentVolume> ProvisionAsync(string claimName, string node)
    {
        var claim = await Api.CoreV1.CreateNamespacedPersistentVolumeClaimAsync(Claim(claimName), Namespace, cancellationToken: Stop);
        var volume = await Cluster.Provisioner.ProvisionAsync(
            new()
            {
                Name = $"pvc-{claim.Metadata.Uid}",
                Bytes = 96 << 20,
                FileSystem = "ext4",
                Claim = claimName,
            },
            node,
            Stop);
        _volumes[volume.Name] = volume;
        await Api.CoreV1.CreatePersistentVolumeAsync(Describe(volume, claim), cancellationToken: Stop);
        await Eventually.ReadAsync(
            "the claim to be bound",
            () => Api.CoreV1.ReadNamespacedPersistentVolumeClaimAsync(claimName, Namespace, cancellationToken: Stop),
            c => c.Status.Phase == "Bound",
            Stop);
        return volume;
    }

    private async Task StartPodAsync(V1Pod pod, CancellationToken cancellationToken)
    {
        var kubelet = KubeletOf(pod);
        foreach (var volume in VolumesOf(pod))
        {
            await kubelet.StageAsync(volume, cancellationToken);
            await kubelet.PublishAsync(volume, pod.Metadata.Uid, cancellationToken);
        }
    }

    private async Task EndPodAsync(V1Pod pod, CancellationToken cancellationToken)
    {
        var kubelet = KubeletOf(pod);
        foreach (var volume in VolumesOf(pod))
        {
            await kubelet.UnpublishAsync(volume, pod.Metadata.Uid, cancellationToken);
            await kubelet.UnstageAsync(volume, cancellationToken);
        }
    }

    private KubeletSim KubeletOf(V1Pod pod) => _dead.ContainsKey(pod.Spec.NodeName)
        ? throw new InvalidOperationException("this kubelet is dead")
        : Cluster.Node(pod.Spec.NodeName).Kubelet;

    private IEnumerable<PersistentVolume> VolumesOf(V1Pod pod) => _volumes.Values.Where(
        v => pod.Spec.Volumes.Any(p => p.PersistentVolumeClaim?.ClaimName == v.Request.Claim));
}
