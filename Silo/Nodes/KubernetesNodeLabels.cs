using Carina.Grains;
using Carina.Kubernetes.Watching;
using k8s.Models;
using Microsoft.Extensions.Options;

namespace Carina.Silo.Nodes;

/// <summary>Labels of this node's Node object, followed while they change.</summary>
internal sealed class KubernetesNodeLabels(
    [FromKeyedServices(KubernetesNodeLabels.OwnNode)] IResourceCache<V1Node> nodes, IOptions<SiloOptions> options) : INodeLabels
{
    /// <summary>Key of the cache that holds this node's object and no other's.</summary>
    public const string OwnNode = "own node";

    public async Task<IReadOnlyDictionary<string, string>> GetAsync(CancellationToken cancellationToken)
    {
        await nodes.Synced.WaitAsync(cancellationToken);

        // A deleted Node object takes no disk away: the node goes on under its name, without labels of anybody's.
        var labels = new Dictionary<string, string>(
            nodes.Find("", options.Value.NodeName)?.Metadata.Labels ?? new Dictionary<string, string>(), StringComparer.Ordinal)
        {
            // The kubelet sets it only once the driver is registered.
            [CarinaNames.TopologyKey] = options.Value.NodeName,
        };
        return labels;
    }

    public IDisposable OnChange(Action callback) => nodes.OnChange(change =>
    {
        if (!Same(change.Old?.Metadata.Labels, change.New?.Metadata.Labels))
        {
            callback();
        }
    });

    private static bool Same(IDictionary<string, string>? left, IDictionary<string, string>? right) =>
        (left?.Count ?? 0) == (right?.Count ?? 0)
        && (left is null || left.All(l => right!.TryGetValue(l.Key, out var value) && value == l.Value));
}
