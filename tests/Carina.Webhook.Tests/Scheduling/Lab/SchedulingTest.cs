using Carina.Grains;
using Carina.Harness.Kubernetes;
using k8s;
using k8s.Models;

namespace Carina.Webhook.Tests.Scheduling.Lab;

/// <summary>A test with a namespace, nodes and StorageClass of its own.</summary>
public abstract class SchedulingTest(SchedulingLab lab) : IAsyncLifetime
{
    protected const string Group = "carina-vg-ssd";
    private static readonly TimeSpan _limit = TimeSpan.FromMinutes(3);
    private readonly List<string> _storageNodes = [];
    private FakeNodes? _nodes;
    private FakeKubelet? _kubelet;

    protected SchedulingLab Lab => lab;

    protected IKubernetes Admin => lab.Admin;

    protected static CancellationToken Stop => TestContext.Current.CancellationToken;

    protected string Namespace { get; } = $"test-{Guid.NewGuid():N}"[..12];

    protected string StorageClass => Namespace;

    public async ValueTask InitializeAsync()
    {
        _nodes = new(Admin);
        _kubelet = FakeKubelet.Start(Admin, _nodes);
        await Admin.CoreV1.CreateNamespaceAsync(new() { Metadata = new() { Name = Namespace } }, cancellationToken: Stop);
        await AddClassAsync(StorageClass, (CarinaNames.DiskGroup, "ssd"));
        await Eventually.ReadAsync(
            "the default service account's token",
            () => Admin.CoreV1.ReadNamespacedServiceAccountAsync("default", Namespace, cancellationToken: Stop),
            account => lab.Plane.Minor >= 24 || account.Secrets is { Count: > 0 },
            Stop);
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);

        // The namespace first: kubelets let pods go, and the provisioner what was made for them.
        await Admin.CoreV1.DeleteNamespaceAsync(Namespace, cancellationToken: CancellationToken.None);
        await Eventually.ReadAsync(
            "the volumes to go",
            () => Admin.CoreV1.ListPersistentVolumeAsync(cancellationToken: CancellationToken.None),
            volumes => volumes.Items.All(v => v.Spec.ClaimRef.NamespaceProperty != Namespace),
            CancellationToken.None);
        await _kubelet!.DisposeAsync();
        await _nodes!.DisposeAsync();
        _storageNodes.ForEach(lab.Storage.RemoveNode);
        Assert.Empty(lab.Provisioner.Errors);
    }

    /// <summary>A node named NAMESPACE-<paramref name="suffix"/> with pools; returns its name.</summary>
    protected async Task<string> AddNodeAsync(string suffix, params (string Pool, long GiB)[] pools)
    {
        var name = $"{Namespace}-{suffix}";
        await lab.Storage.AddNodeAsync(name, pools);
        _storageNodes.Add(name);
        await _nodes!.AddAsync(
            new(name)
            {
                Labels = new Dictionary<string, string> { [CarinaNames.TopologyKey] = name, ["for"] = Namespace },
                Drivers = [new() { Name = CarinaNames.Driver, NodeID = name, TopologyKeys = [CarinaNames.TopologyKey] }],
            },
            Stop);
        return name;
    }

    protected Task AddClassAsync(string name, params (string Key, string Value)[] parameters) =>
        Admin.StorageV1.CreateStorageClassAsync(
            new()
            {
                Metadata = new() { Name = name },
                Provisioner = CarinaNames.Driver,
                Parameters = parameters.ToDictionary(p => p.Key, p => p.Value),
                VolumeBindingMode = "WaitForFirstConsumer",
            },
            cancellationToken: Stop);

    protected Task AddClaimAsync(string name, string size, string? storageClass = null) =>
        Admin.CoreV1.CreateNamespacedPersistentVolumeClaimAsync(
            new()
            {
                Metadata = new() { Name = name },
                Spec = new()
                {
                    AccessModes = ["ReadWriteOnce"],
                    StorageClassName = storageClass ?? StorageClass,
                    Resources = new() { Requests = new Dictionary<string, ResourceQuantity> { ["storage"] = new(size) } },
                },
            },
            Namespace,
            cancellationToken: Stop);

    protected Task AddPodAsync(string name, params string[] claims) => AddPodAsync(name, CarinaScheduler.Name, claims);

    protected Task AddPodAsync(string name, string scheduler, IReadOnlyList<string> claims) => Admin.CoreV1.CreateNamespacedPodAsync(
        new()
        {
            Metadata = new() { Name = name },
            Spec = new()
            {
                SchedulerName = scheduler,
                NodeSelector = new Dictionary<string, string> { ["for"] = Namespace },
                TerminationGracePeriodSeconds = 0,
                Containers = [new() { Name = "main", Image = "none" }],
                Volumes = [.. claims.Select(c => new V1Volume { Name = c, PersistentVolumeClaim = new() { ClaimName = c } })],
            },
        },
        Namespace,
        cancellationToken: Stop);

    /// <summary>A pod with a claim of its own.</summary>
    protected async Task AddPodWithClaimAsync(string name, string size)
    {
        await AddClaimAsync(name, size);
        await AddPodAsync(name, name);
    }

    /// <summary>Waits until the pod runs; returns its node.</summary>
    protected async Task<string> WaitForRunningAsync(string pod) => (await Eventually.ReadAsync(
        $"pod {pod} to run",
        () => Admin.CoreV1.ReadNamespacedPodAsync(pod, Namespace, cancellationToken: Stop),
        p => p.Status.Phase == "Running",
        Stop,
        _limit)).Spec.NodeName;

    /// <summary>Waits until the scheduler says that the pod cannot be placed, with all these texts.</summary>
    protected Task<V1Pod> WaitForRefusalAsync(string pod, params string[] texts) => Eventually.ReadAsync(
        $"pod {pod} to be refused with {string.Join(" and ", texts)}",
        () => Admin.CoreV1.ReadNamespacedPodAsync(pod, Namespace, cancellationToken: Stop),
        p => RefusalOf(p) is { } refusal && texts.All(t => refusal.Contains(t, StringComparison.Ordinal)),
        Stop,
        _limit);

    protected static string? RefusalOf(V1Pod pod) => pod.Status.Conditions?
        .FirstOrDefault(c => c is { Type: "PodScheduled", Status: "False" })?.Message;

    /// <summary>Waits for pods; counts only those of this test.</summary>
    protected async Task<IReadOnlyList<V1Pod>> WaitForPodsAsync(string what, Func<IList<V1Pod>, bool> isRight) => [.. (await Eventually.ReadAsync(
        what,
        () => Admin.CoreV1.ListNamespacedPodAsync(Namespace, cancellationToken: Stop),
        pods => isRight(pods.Items),
        Stop,
        _limit)).Items];

    /// <summary>Every pod that runs is where its volumes are.</summary>
    protected async Task RequireVolumesUnderPodsAsync()
    {
        var volumes = (await Admin.CoreV1.ListPersistentVolumeAsync(cancellationToken: Stop)).Items
            .Where(v => v.Spec.ClaimRef.NamespaceProperty == Namespace)
            .ToDictionary(
                v => v.Spec.ClaimRef.Name,
                v => v.Spec.NodeAffinity.Required.NodeSelectorTerms.Single().MatchExpressions.Single().Values.Single());
        var pods = (await Admin.CoreV1.ListNamespacedPodAsync(Namespace, cancellationToken: Stop)).Items;
        foreach (var pod in pods.Where(p => p.Spec.NodeName is not null))
        {
            Assert.All(pod.Spec.Volumes.Where(v => v.PersistentVolumeClaim is not null), v =>
                Assert.Equal(pod.Spec.NodeName, volumes[v.PersistentVolumeClaim.ClaimName]));
        }
    }
}
