using System.Globalization;
using System.Text.Json.Nodes;
using Carina.Kubernetes.Client;
using k8s;
using k8s.Models;

namespace Carina.Kubernetes.Upgrade;

/// <summary>
/// LogicVolumes kept in ConfigMaps of the driver's own namespace while their definition is replaced: some parts, and an
/// index that is written last and says that all parts are there. It is never deleted: a person may want it.
/// </summary>
internal sealed class VolumeDump(IKubernetes client, string ns)
{
    public const string IndexName = "carina-logicvolume-dump";

    private const string Count = "count";
    private const string Parts = "parts";
    private const string State = "state";
    private const string Dumped = "Dumped";
    private const string Restored = "Restored";

    // A ConfigMap holds 1 MiB at most.
    private const int MaxPartChars = 400_000;

    /// <summary>Whether a whole dump waits to be restored.</summary>
    public async Task<bool> IsPendingAsync(CancellationToken cancellationToken) =>
        (await FindAsync(IndexName, cancellationToken).ConfigureAwait(false))?.Data?[State] == Dumped;

    /// <summary>Writes all objects; whatever an earlier attempt left is replaced.</summary>
    public async Task WriteAsync(IReadOnlyList<JsonObject> items, CancellationToken cancellationToken)
    {
        var parts = new List<Dictionary<string, string>>();
        var chars = MaxPartChars;
        foreach (var item in items)
        {
            var text = item.ToJsonString();
            if (chars + text.Length > MaxPartChars)
            {
                parts.Add([]);
                chars = 0;
            }

            parts[^1].Add((string)item["metadata"]!["name"]! + ".json", text);
            chars += text.Length;
        }

        for (var i = 0; i < parts.Count; i++)
        {
            await PutAsync(PartName(i), parts[i], cancellationToken).ConfigureAwait(false);
        }

        await PutAsync(
            IndexName,
            new Dictionary<string, string>
            {
                [Count] = items.Count.ToString(CultureInfo.InvariantCulture),
                [Parts] = parts.Count.ToString(CultureInfo.InvariantCulture),
                [State] = Dumped,
            },
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Reads a whole dump back.</summary>
    /// <exception cref="InvalidOperationException">A part is missing, or holds other than the index says.</exception>
    public async Task<IReadOnlyList<JsonObject>> ReadAsync(CancellationToken cancellationToken)
    {
        var index = await FindAsync(IndexName, cancellationToken).ConfigureAwait(false)
            ?? throw new InvalidOperationException($"There is no ConfigMap {ns}/{IndexName}.");
        var items = new List<JsonObject>();
        for (var i = 0; i < int.Parse(index.Data[Parts], CultureInfo.InvariantCulture); i++)
        {
            var part = await FindAsync(PartName(i), cancellationToken).ConfigureAwait(false)
                ?? throw new InvalidOperationException($"The ConfigMap {ns}/{PartName(i)}, a part of the dump of LogicVolumes, is missing.");
            items.AddRange(part.Data.OrderBy(d => d.Key, StringComparer.Ordinal).Select(d => JsonNode.Parse(d.Value)!.AsObject()));
        }

        return items.Count.ToString(CultureInfo.InvariantCulture) == index.Data[Count]
            ? items
            : throw new InvalidOperationException(
                $"The dump of LogicVolumes in {ns}/{IndexName} holds {items.Count} objects instead of {index.Data[Count]}.");
    }

    /// <summary>Notes that everything is back.</summary>
    public async Task CloseAsync(CancellationToken cancellationToken)
    {
        if (await FindAsync(IndexName, cancellationToken).ConfigureAwait(false) is { } index)
        {
            index.Data[State] = Restored;
            await PutAsync(IndexName, index.Data, cancellationToken).ConfigureAwait(false);
        }
    }

    private static string PartName(int number) => string.Create(CultureInfo.InvariantCulture, $"{IndexName}-{number}");

    private async Task<V1ConfigMap?> FindAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            return await client.CoreV1.ReadNamespacedConfigMapAsync(name, ns, cancellationToken: cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception.IsNotFound())
        {
            return null;
        }
    }

    private async Task PutAsync(string name, IDictionary<string, string> data, CancellationToken cancellationToken)
    {
        var map = new V1ConfigMap { Metadata = new() { Name = name, NamespaceProperty = ns }, Data = data };
        if (await FindAsync(name, cancellationToken).ConfigureAwait(false) is { } present)
        {
            map.Metadata.ResourceVersion = present.Metadata.ResourceVersion;
            await client.CoreV1.ReplaceNamespacedConfigMapAsync(map, name, ns, cancellationToken: cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await client.CoreV1.CreateNamespacedConfigMapAsync(map, ns, cancellationToken: cancellationToken).ConfigureAwait(false);
        }
    }
}
