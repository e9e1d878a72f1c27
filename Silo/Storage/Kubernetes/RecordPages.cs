using System.Collections.Concurrent;
using Carina.Grains.Storage;
using Carina.Kubernetes.Client;
using k8s;
using k8s.Models;

namespace Carina.Silo.Storage.Kubernetes;

/// <summary>
/// Lists custom resources as records, page by page. The API server pages by tokens of its own, not by names: this
/// remembers for a while which token follows which name, and otherwise reads from the start and skips.
/// </summary>
internal sealed class RecordPages<TObject, TRecord>(CustomObjectClient<TObject> objects, TimeProvider time)
    where TObject : class, IKubernetesObject<V1ObjectMeta>
    where TRecord : class
{
    private const int PageSize = 500;
    private const int MaxTokens = 256;

    // A token shows the objects as they were when its list began.
    private static readonly TimeSpan _tokenLife = TimeSpan.FromMinutes(1);
    private readonly ConcurrentDictionary<string, (string Token, long Since)> _tokens = new(StringComparer.Ordinal);

    /// <summary>Records behind an object's name, in ordinal order of the objects' names.</summary>
    /// <param name="after">An object's name; null starts at the beginning.</param>
    /// <param name="limit">At most so many; 0 means all.</param>
    /// <param name="read">The record of an object, or null when it holds none.</param>
    public async Task<IReadOnlyList<Stored<TRecord>>> ListAsync(
        string? after, int limit, Func<TObject, Stored<TRecord>?> read, CancellationToken cancellationToken)
    {
        var found = new List<Stored<TRecord>>();
        var token = FindToken(after);
        while (true)
        {
            // While skipping, whole pages; otherwise not more than is wanted.
            var size = limit == 0 || (token is null && after is not null) ? PageSize : Math.Min(PageSize, limit - found.Count);
            CustomPage page;
            try
            {
                page = await FetchAsync(token, size, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception) when (token is not null && exception.IsGone())
            {
                token = null;
                continue;
            }

            foreach (var item in page.Items)
            {
                if (after is not null && string.CompareOrdinal(item.Metadata.Name, after) <= 0)
                {
                    continue;
                }

                after = item.Metadata.Name;
                if (read(item) is { } record)
                {
                    found.Add(record);
                }

                if (limit > 0 && found.Count == limit)
                {
                    Remember(after, ReferenceEquals(item, page.Items[^1]) ? page.Next : token);
                    return found;
                }
            }

            if (string.IsNullOrEmpty(page.Next))
            {
                return found;
            }

            token = page.Next;
        }
    }

    private async Task<CustomPage> FetchAsync(string? token, int size, CancellationToken cancellationToken)
    {
        var list = await objects.ListAsync(token, size, cancellationToken).ConfigureAwait(false);
        return new CustomPage(list.Items, list.Metadata.ContinueProperty);
    }

    private string? FindToken(string? after) =>
        after is not null && _tokens.TryGetValue(after, out var known) && time.GetElapsedTime(known.Since) < _tokenLife
            ? known.Token
            : null;

    private void Remember(string name, string? token)
    {
        if (string.IsNullOrEmpty(token))
        {
            _tokens.TryRemove(name, out _);
            return;
        }

        if (_tokens.Count >= MaxTokens)
        {
            _tokens.Clear();
        }

        _tokens[name] = (token, time.GetTimestamp());
    }

    private sealed record CustomPage(IList<TObject> Items, string? Next);
}
