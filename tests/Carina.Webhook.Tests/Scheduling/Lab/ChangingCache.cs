using System.Collections.Concurrent;
using Carina.Kubernetes.Watching;
using k8s;
using k8s.Models;

namespace Carina.Webhook.Tests.Scheduling.Lab;

/// <summary>Objects as a watch brings them, one change after the other.</summary>
internal sealed class ChangingCache<T> : IResourceCache<T>
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    private readonly ConcurrentDictionary<(string, string), T> _items = new();
    private readonly List<Action<ResourceChange<T>>> _listeners = [];

    public Task Synced { get; set; } = Task.CompletedTask;

    public IEnumerable<T> All => _items.Values;

    public T? Find(string ns, string name) => _items.GetValueOrDefault((ns, name));

    public IDisposable OnChange(Action<ResourceChange<T>> callback)
    {
        _listeners.Add(callback);
        return new Nothing();
    }

    public void Put(T item)
    {
        var key = (item.Metadata.NamespaceProperty ?? "", item.Metadata.Name);
        var old = _items.GetValueOrDefault(key);
        _items[key] = item;
        _listeners.ForEach(l => l(new(old, item)));
    }

    public void Remove(string ns, string name)
    {
        if (_items.TryRemove((ns, name), out var old))
        {
            _listeners.ForEach(l => l(new(old, null)));
        }
    }

    private sealed class Nothing : IDisposable
    {
        public void Dispose()
        {
        }
    }
}
