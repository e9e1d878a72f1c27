using Carina.Kubernetes.Watching;
using k8s;
using k8s.Models;

namespace Carina.Benchmarks.Webhook;

/// <summary>Objects of a cluster as the watches would have brought them.</summary>
internal sealed class ClusterView<T>(IEnumerable<T> items) : IResourceCache<T>
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    private readonly Dictionary<(string, string), T> _items =
        items.ToDictionary(i => (i.Metadata.NamespaceProperty ?? "", i.Metadata.Name));

    public Task Synced => Task.CompletedTask;

    public IEnumerable<T> All => _items.Values;

    public T? Find(string ns, string name) => _items.GetValueOrDefault((ns, name));

    public IDisposable OnChange(Action<ResourceChange<T>> callback) => new Nothing();

    private sealed class Nothing : IDisposable
    {
        public void Dispose()
        {
        }
    }
}

/// <summary>A cluster with many claims of ours.</summary>
internal static class ClusterObjects
{
    public const string Namespace = "team";
    public const int Claims = 10_000;

    public static ClusterView<V1Namespace> Namespaces() => new([new() { Metadata = new() { Name = Namespace } }]);

    public static ClusterView<V1StorageClass> Classes() => new(
    [
        new()
        {
            Metadata = new() { Name = "csi-carina-sc" },
            Provisioner = "carina.storage.io",
            Parameters = new Dictionary<string, string>
            {
                ["carina.storage.io/disk-group-name"] = "carina-vg-ssd",
                ["carina.storage.io/allow-pod-migration-if-node-notready"] = "true",
            },
        },
        new() { Metadata = new() { Name = "other" }, Provisioner = "other.example.com" },
    ]);

    /// <summary>Every other one is bound; every tenth is another driver's.</summary>
    public static ClusterView<V1PersistentVolumeClaim> PersistentVolumeClaims() => new(Enumerable.Range(0, Claims).Select(i =>
        new V1PersistentVolumeClaim
        {
            Metadata = new() { Name = $"data-{i}", NamespaceProperty = Namespace, Uid = $"uid-{i}" },
            Spec = new()
            {
                StorageClassName = i % 10 == 9 ? "other" : "csi-carina-sc",
                VolumeName = i % 2 == 0 ? $"pvc-{i}" : null,
                Resources = new() { Requests = new Dictionary<string, ResourceQuantity> { ["storage"] = new("10Gi") } },
            },
        }));

    public static ClusterView<V1PersistentVolume> PersistentVolumes() => new(Enumerable.Range(0, Claims / 2).Select(i =>
        new V1PersistentVolume
        {
            Metadata = new() { Name = $"pvc-{2 * i}" },
            Spec = new() { Csi = new() { Driver = "carina.storage.io", VolumeHandle = $"volume-pvc-{2 * i}" } },
        }));
}
