using Carina.Grains;
using Carina.Kubernetes.Watching;
using Carina.Webhook.Lookup;
using k8s;
using k8s.Models;

namespace Carina.Webhook.Admission;

/// <summary>
/// Whether a namespace keeps the webhook away. The configuration's namespaceSelector says so to the API server; it is
/// looked at again because configurations are edited by hand.
/// </summary>
internal sealed class NamespaceOptOut(IKubernetes client, IResourceCache<V1Namespace> namespaces, ApiLookup lookup)
{
    private const string Ignore = "ignore";
    private const int PageSize = 500;

    public static ResourceSource<V1Namespace> Source(IKubernetes client) => new(
        "namespaces",
        async (page, stop) =>
        {
            var list = await client.CoreV1.ListNamespaceAsync(continueParameter: page, limit: PageSize, cancellationToken: stop)
                .ConfigureAwait(false);
            return new(list.Items, list.Metadata.ResourceVersion, list.Metadata.ContinueProperty);
        },
        (version, seconds, stop) => client.CoreV1.WatchListNamespaceAsync(
            allowWatchBookmarks: true, resourceVersion: version, timeoutSeconds: seconds, cancellationToken: stop));

    public async ValueTask<bool> IsOutAsync(string ns, CancellationToken stop)
    {
        var found = namespaces.Find("", ns) ?? await lookup.AskAsync(
            $"namespace {ns}", s => client.CoreV1.ReadNamespaceAsync(ns, cancellationToken: s), stop).ConfigureAwait(false);
        return found?.GetLabel(CarinaNames.WebhookLabel) == Ignore;
    }
}
