using Carina.Kubernetes.Watching;
using k8s;
using k8s.Models;

namespace Carina.Webhook.Tests.Hosting;

/// <summary>Objects as a watch would have brought them.</summary>
internal sealed class StaticCache<T> : IResourceCache<T>
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    private readonly Dictionary<(string, string), T> _items = [];

    public Task Synced => Task.CompletedTask;

    public IEnumerable<T> All => _items.Values;

    public T? Find(string ns, string name) => _items.GetValueOrDefault((ns, name));

    public IDisposable OnChange(Action<ResourceChange<T>> callback) => throw new NotSupportedException("Nothing here changes.");

    public void Add(T item) => _items[(item.Metadata.NamespaceProperty ?? "", item.Metadata.Name)] = item;
}
