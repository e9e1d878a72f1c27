using System.Collections.Concurrent;
using Carina.E2E.Tests.Clusters;
using Carina.Grains;
using Carina.Harness.Cluster;
using Carina.Harness.Kubernetes;
using Carina.Harness.Policies;
using Carina.Harness.Sidecars;
using k8s;
using k8s.Models;

namespace Carina.E2E.Tests.Failover;

/// <summary>
/// Three FILE nodes with silos of their own and a controller, against a whole control plane: StatefulSets are made real,
/// pods are scheduled, and what kubelet does with volumes is done by calls to the silos' CSI sockets.
/// </summary>
public sealed class FailoverCluster : IAsyncLifetime
{
    /// <summary>Namespace of the pods.</summary>
    public const string Namespace = "default";

    private readonly ConcurrentDictionary<string, PersistentVolume> _volumes = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, byte> _dead = new(StringComparer.Ordinal);
    private KubernetesTruth? _truth;
    private EmbeddedCluster? _cluster;
    private FakeKubelet? _kubelet;

    public EmbeddedCluster Cluster => _cluster ?? throw new InvalidOperationException("The cluster is not started.");

    public KubernetesTruth Truth => _truth ?? throw new InvalidOperationException("The API server is not started.");

    public IKubernetes Api => Truth.Plane.Admin;

    /// <summary>What the kubelets complained of.</summary>
    public IReadOnlyCollection<string> KubeletErrors => _kubelet?.Errors ?? [];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var nodes = NodeSpec.Many(3, 3L << 30);
        _truth = await KubernetesTruth.StartAsync(nodes, alive: true, Stop);
        _cluster = await EmbeddedCluster.StartAsync(
            new() { Policy = StoragePolicy.File, Nodes = nodes, Kubernetes = _truth.Store }, Stop);
        _kubelet = FakeKubelet.Start(Api, _truth.Nodes, new()
        {
            BeforeRunning = StartPodAsync,
            BeforeGone = EndPodAsync,
        });
    }

    public async ValueTask DisposeAsync()
    {
        if (_kubelet is not null)
        {
            await _kubelet.DisposeAsync();
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
    }

    /// <summary>A StatefulSet of one pod with a bound claim on a node; returns when the pod runs.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="node">Where its volume is.</param>
    /// <param name="annotations">The pod's annotations.</param>
    public async Task<PersistentVolume> RunStatefulSetAsync(
        string name, string node, IDictionary<string, string> annotations)
    {
        var claim = await Api.CoreV1.CreateNamespacedPersistentVolumeClaimAsync(Claim(name), Namespace, cancellationToken: Stop);
        var volume = await Cluster.Provisioner.ProvisionAsync(
            new()
            {
                Name = $"pvc-{claim.Metadata.Uid}",
                Bytes = 64 << 20,
                FileSystem = "ext4",
                Claim = claim.Metadata.Name,
            },
            node,
            Stop);
        _volumes[volume.Name] = volume;
        await Api.CoreV1.CreatePersistentVolumeAsync(Describe(volume, claim), cancellationToken: Stop);
        await Eventually.ReadAsync(
            "the claim to be bound",
            () => Api.CoreV1.ReadNamespacedPersistentVolumeClaimAsync(claim.Metadata.Name, Namespace, cancellationToken: Stop),
            c => c.Status.Phase == "Bound",
            Stop);
        await Api.AppsV1.CreateNamespacedStatefulSetAsync(StatefulSet(name, annotations), Namespace, cancellationToken: Stop);
        await WaitUntilRunningAsync(name, pod => pod.Spec.NodeName == node);
        return volume;
    }

    /// <summary>Waits until the set's pod runs, as it should.</summary>
    public Task<V1Pod> WaitUntilRunningAsync(string name, Func<V1Pod, bool> isRight, TimeSpan? limit = null) => Eventually.ReadAsync(
        $"pod {name}-0 to run as it should",
        () => Api.CoreV1.ReadNamespacedPodAsync($"{name}-0", Namespace, cancellationToken: Stop),
        pod => pod.Status.Phase == "Running" && pod.Metadata.DeletionTimestamp is null && isRight(pod),
        Stop,
        limit);

    /// <summary>Path of a file on the volume as the pod sees it.</summary>
    public string FileOf(V1Pod pod, PersistentVolume volume, string file)
    {
        ArgumentNullException.ThrowIfNull(pod);
        return Path.Combine(Cluster.Node(pod.Spec.NodeName).Kubelet.TargetPath(volume, pod.Metadata.Uid), file);
    }

    /// <summary>A field of the volume's LogicVolume, by a JSON path.</summary>
    public Task<string> ReadAsync(PersistentVolume volume, string path)
    {
        ArgumentNullException.ThrowIfNull(volume);
        return Truth.Plane.KubectlAsync("get", "lv", volume.Name, "--output", "jsonpath=" + path);
    }

    /// <summary>Asks for something, as an operator does.</summary>
    public Task AnnotateAsync(PersistentVolume volume, string key, string value)
    {
        ArgumentNullException.ThrowIfNull(volume);
        return Truth.Plane.KubectlAsync("annotate", "lv", volume.Name, "--overwrite", $"{key}={value}");
    }

    /// <summary>The node's kubelet ends: nobody reports, and nothing is unmounted any more.</summary>
    public async Task StopKubeletAsync(string node)
    {
        _dead[node] = 0;
        Truth.Nodes.PauseLease(node);
        await Truth.Nodes.SetReadyAsync(node, false, Stop);
    }

    public async Task StartKubeletAsync(string node)
    {
        _dead.TryRemove(node, out _);
        Truth.Nodes.ResumeLease(node);
        await Truth.Nodes.SetReadyAsync(node, true, Stop);
    }

    private async Task StartPodAsync(V1Pod pod, CancellationToken cancellationToken)
    {
        if (_dead.ContainsKey(pod.Spec.NodeName))
        {
            throw new InvalidOperationException("this kubelet is dead");
        }

        var kubelet = Cluster.Node(pod.Spec.NodeName).Kubelet;
        foreach (var volume in VolumesOf(pod))
        {
            await kubelet.StageAsync(volume, cancellationToken);
            await kubelet.PublishAsync(volume, pod.Metadata.Uid, cancellationToken);
        }
    }

    private async Task EndPodAsync(V1Pod pod, CancellationToken cancellationToken)
    {
        if (_dead.ContainsKey(pod.Spec.NodeName))
        {
            throw new InvalidOperationException("this kubelet is dead");
        }

        var kubelet = Cluster.Node(pod.Spec.NodeName).Kubelet;
        foreach (var volume in VolumesOf(pod))
        {
            await kubelet.UnpublishAsync(volume, pod.Metadata.Uid, cancellationToken);
            await kubelet.UnstageAsync(volume, cancellationToken);
        }
    }

    private IEnumerable<PersistentVolume> VolumesOf(V1Pod pod) => _volumes.Values.Where(
        v => pod.Spec.Volumes.Any(p => p.PersistentVolumeClaim?.ClaimName == v.Request.Claim));

    private static V1PersistentVolumeClaim Claim(string name) => new()
    {
        Metadata = new()
        {
            Name = "data-" + name,
            Labels = new Dictionary<string, string> { ["kept"] = "yes" },
            Annotations = new Dictionary<string, string> { ["somebody.example/note"] = "mine" },
        },
        Spec = new()
        {
            AccessModes = ["ReadWriteOnce"],
            StorageClassName = "",
            VolumeName = "",
            Selector = new() { MatchLabels = new Dictionary<string, string> { ["nobody"] = name } },
            Resources = new() { Requests = new Dictionary<string, ResourceQuantity> { ["storage"] = new("64Mi") } },
        },
    };

    private static V1PersistentVolume Describe(PersistentVolume volume, V1PersistentVolumeClaim claim) => new()
    {
        Metadata = new()
        {
            Name = volume.Name,
            Labels = new Dictionary<string, string> { ["nobody"] = claim.Metadata.Name["data-".Length..] },
            Annotations = new Dictionary<string, string> { ["pv.kubernetes.io/provisioned-by"] = CarinaNames.Driver },
        },
        Spec = new()
        {
            Capacity = new Dictionary<string, ResourceQuantity> { ["storage"] = new("64Mi") },
            AccessModes = ["ReadWriteOnce"],
            PersistentVolumeReclaimPolicy = "Retain",
            StorageClassName = "",
            ClaimRef = new()
            {
                ApiVersion = "v1",
                Kind = "PersistentVolumeClaim",
                Name = claim.Metadata.Name,
                NamespaceProperty = Namespace,
                Uid = claim.Metadata.Uid,
            },
            Csi = new()
            {
                Driver = CarinaNames.Driver,
                VolumeHandle = volume.Handle,
                FsType = "ext4",
                VolumeAttributes = volume.Attributes.ToDictionary(),
            },
            NodeAffinity = new()
            {
                Required = new()
                {
                    NodeSelectorTerms =
                    [
                        new() { MatchExpressions = [new() { Key = CarinaNames.TopologyKey, OperatorProperty = "In", Values = [volume.Node] }] },
                    ],
                },
            },
        },
    };

    private static V1StatefulSet StatefulSet(string name, IDictionary<string, string> annotations) => new()
    {
        Metadata = new() { Name = name },
        Spec = new()
        {
            Replicas = 1,
            ServiceName = name,
            Selector = new() { MatchLabels = new Dictionary<string, string> { ["app"] = name } },
            Template = new()
            {
                Metadata = new() { Labels = new Dictionary<string, string> { ["app"] = name }, Annotations = annotations },
                Spec = new()
                {
                    Containers = [new() { Name = "database", Image = "none" }],
                    Volumes = [new() { Name = "data", PersistentVolumeClaim = new() { ClaimName = "data-" + name } }],
                },
            },
        },
    };
}
