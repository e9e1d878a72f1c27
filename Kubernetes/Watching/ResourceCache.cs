using System.Collections.Concurrent;
using Carina.Kubernetes.Client;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Carina.Kubernetes.Watching;

/// <summary>What happened to an object.</summary>
/// <param name="Old">As it was known before; null when it is new.</param>
/// <param name="New">As it is now; null when it is gone.</param>
public sealed record ResourceChange<T>(T? Old, T? New)
    where T : class;

/// <summary>Objects of one kind as last seen, kept up to date by a watch. Reading it costs no request.</summary>
public interface IResourceCache<T>
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    /// <summary>Completes once the first list has been taken in.</summary>
    Task Synced { get; }

    /// <summary>All objects, in no order.</summary>
    IEnumerable<T> All { get; }

    /// <summary>An object by name; the namespace is empty for cluster-scoped kinds. Null when it is not known.</summary>
    T? Find(string ns, string name);

    /// <summary>
    /// Calls back after each change, one at a time, in the order in which they were seen. A callback must not block;
    /// it sees states, not every transition, and after a gap in the watch a deletion without its time.
    /// </summary>
    IDisposable OnChange(Action<ResourceChange<T>> callback);
}

/// <summary>
/// Lists once and watches from there; lists again after a gap. While the API server is away it keeps what it knows.
/// </summary>
public sealed partial class ResourceCache<T>(ResourceSource<T> source, TimeProvider time, ILogger<ResourceCache<T>> logger)
    : BackgroundService, IResourceCache<T>
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    // As client-go's reflector: a watch lives five to ten minutes, so that many clients do not reconnect at once.
    private const int ShortestWatchSeconds = 300;
    private static readonly TimeSpan _shortestPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan _longestPause = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<(string Namespace, string Name), T> _items = new();
    private readonly TaskCompletionSource _synced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _subscribing = new();
    private Action<ResourceChange<T>>[] _callbacks = [];

    public Task Synced => _synced.Task;

    public IEnumerable<T> All => _items.Values;

    public T? Find(string ns, string name) => _items.GetValueOrDefault((ns, name));

    public IDisposable OnChange(Action<ResourceChange<T>> callback)
    {
        lock (_subscribing)
        {
            _callbacks = [.. _callbacks, callback];
        }

        return new Subscription(() =>
        {
            lock (_subscribing)
            {
                _callbacks = [.. _callbacks.Where(c => c != callback)];
            }
        });
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        string? version = null;
        var pause = _shortestPause;
        while (!stoppingToken.IsCancellationRequested)
        {
            var start = time.GetTimestamp();
            string? problem = null;
            try
            {
                version ??= await ListAsync(stoppingToken).ConfigureAwait(false);
                start = time.GetTimestamp();
                version = await WatchAsync(version, stoppingToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                // Whatever it was, a new list sets it right.
                version = null;
                problem = exception.Describe();
            }

            // Only a watch that lasted is a success: one that the server ends at once, or forbids, must not make us ask
            // ten times a second.
            if (time.GetElapsedTime(start) >= _longestPause)
            {
                pause = _shortestPause;
            }

            if (problem is not null)
            {
                LogInterrupted(source.Name, problem, pause);
            }

            await Task.Delay(pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            pause = pause * 2 < _longestPause ? pause * 2 : _longestPause;
        }
    }

    private async Task<string> ListAsync(CancellationToken stop)
    {
        var seen = new HashSet<(string, string)>();
        string? next = null;
        string version;
        do
        {
            var page = await source.ListAsync(next, stop).ConfigureAwait(false);
            foreach (var item in page.Items)
            {
                seen.Add(KeyOf(item));
                Put(item);
            }

            (version, next) = (page.Version, page.Continue);
        }
        while (!string.IsNullOrEmpty(next));

        foreach (var key in _items.Keys.Where(k => !seen.Contains(k)))
        {
            Remove(key);
        }

        _synced.TrySetResult();
        return version;
    }

    /// <summary>Follows changes until the server ends the watch; returns the version to go on from.</summary>
    private async Task<string> WatchAsync(string version, CancellationToken stop)
    {
        var seconds = ShortestWatchSeconds + Random.Shared.Next(ShortestWatchSeconds);
        // The server ends the watch in time. Should it not, it is not there any more.
        using var overdue = new CancellationTokenSource(TimeSpan.FromSeconds(seconds) + _longestPause * 3, time);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop, overdue.Token);
        await foreach (var (type, item) in source.WatchAsync(version, seconds, end.Token).ConfigureAwait(false))
        {
            switch (type)
            {
                case WatchEventType.Added or WatchEventType.Modified:
                    Put(item);
                    break;
                case WatchEventType.Deleted:
                    Remove(KeyOf(item));
                    break;
                case WatchEventType.Error:
                    throw new IOException($"The API server ended the watch of {source.Name}.");
            }

            version = item.Metadata?.ResourceVersion ?? version;
        }

        return version;
    }

    private void Put(T item)
    {
        var key = KeyOf(item);
        var old = _items.GetValueOrDefault(key);
        if (old is not null && old.Metadata.ResourceVersion == item.Metadata.ResourceVersion
            && old.Metadata.Uid == item.Metadata.Uid)
        {
            return;
        }

        _items[key] = item;
        Tell(new(old, item));
    }

    private void Remove((string, string) key)
    {
        if (_items.TryRemove(key, out var old))
        {
            Tell(new(old, null));
        }
    }

    private void Tell(ResourceChange<T> change)
    {
        foreach (var callback in _callbacks)
        {
            try
            {
                callback(change);
            }
            catch (Exception exception)
            {
                // One listener's fault must not stop the others, nor the watch.
                LogListenerFailed(exception, source.Name);
            }
        }
    }

    private static (string, string) KeyOf(T item) => (item.Metadata.NamespaceProperty ?? "", item.Metadata.Name);

    [LoggerMessage(1, LogLevel.Information, "The watch of {Kind} was interrupted ({Reason}); lists again in {Pause}")]
    private partial void LogInterrupted(string kind, string reason, TimeSpan pause);

    [LoggerMessage(2, LogLevel.Error, "A listener to changes of {Kind} failed")]
    private partial void LogListenerFailed(Exception exception, string kind);

    private sealed class Subscription(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}
