using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Carina.Kubernetes.Client;
using Carina.Kubernetes.Watching;
using Carina.Webhook.Hosting;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Options;

namespace Carina.Webhook.Certificates;

/// <summary>The MutatingWebhookConfiguration: whom the API server trusts when it calls us (<c>caBundle</c>).</summary>
internal sealed class HookConfiguration(
    IKubernetes client, IOptions<WebhookOptions> options, IOptions<KubernetesOptions> kubernetes)
{
    // With one of these, cert-manager's CA injector keeps the bundle.
    private const string InjectPrefix = "cert-manager.io/inject-";

    private string Name => options.Value.ConfigurationName;

    /// <summary>The configuration alone, so that permission for its name is enough.</summary>
    public ResourceSource<V1MutatingWebhookConfiguration> Source()
    {
        var selector = $"metadata.name={Name}";
        return new(
            $"mutatingwebhookconfiguration {Name}",
            async (page, stop) =>
            {
                var list = await client.AdmissionregistrationV1.ListMutatingWebhookConfigurationAsync(
                    continueParameter: page, fieldSelector: selector, cancellationToken: stop).ConfigureAwait(false);
                return new(list.Items, list.Metadata.ResourceVersion, list.Metadata.ContinueProperty);
            },
            (version, seconds, stop) => client.AdmissionregistrationV1.WatchListMutatingWebhookConfigurationAsync(
                allowWatchBookmarks: true, fieldSelector: selector, resourceVersion: version, timeoutSeconds: seconds,
                cancellationToken: stop));
    }

    /// <summary>Reads what is published now; null when there is no such configuration.</summary>
    public async Task<PublishedAuthorities?> ReadAsync(CancellationToken stop)
    {
        if (Name.Length == 0)
        {
            return null;
        }

        V1MutatingWebhookConfiguration configuration;
        try
        {
            configuration = await client.AdmissionregistrationV1
                .ReadMutatingWebhookConfigurationAsync(Name, cancellationToken: stop).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception.IsNotFound())
        {
            return null;
        }

        var hooks = (configuration.Webhooks ?? []).Select((hook, index) => (hook, index)).Where(h => IsOurs(h.hook)).ToList();
        return new(
            [.. hooks.Select(h => new PublishedHook(h.index, h.hook.Name, CertificateChain.ReadPem(TextOf(h.hook))))],
            !(configuration.Metadata.Annotations?.Keys.Any(k => k.StartsWith(InjectPrefix, StringComparison.Ordinal)) ?? false),
            configuration.Metadata.ResourceVersion);
    }

    /// <summary>Publishes authorities in every hook that has others. False when somebody changed the configuration meanwhile.</summary>
    public async Task<bool> PublishAsync(
        PublishedAuthorities published, IReadOnlyList<X509Certificate2> authorities, CancellationToken stop)
    {
        var bundle = Convert.ToBase64String(Encoding.ASCII.GetBytes(CertificateChain.WritePem(authorities)));

        // The index is only right for the version that was read: saying it makes the API server check it (409).
        var patch = new List<object> { new { op = "add", path = "/metadata/resourceVersion", value = published.Version } };
        patch.AddRange(published.Hooks.Where(h => !h.Holds(authorities))
            .Select(h => new { op = "add", path = $"/webhooks/{h.Index}/clientConfig/caBundle", value = bundle }));
        try
        {
            await client.AdmissionregistrationV1.PatchMutatingWebhookConfigurationAsync(
                new V1Patch(JsonSerializer.Serialize(patch), V1Patch.PatchType.JsonPatch), Name, cancellationToken: stop)
                .ConfigureAwait(false);
            return true;
        }
        catch (Exception exception) when (exception.IsConflict() || exception.IsNotFound())
        {
            return false;
        }
    }

    // A hook that calls another Service has certificates of its own.
    private bool IsOurs(V1MutatingWebhook hook) => hook.ClientConfig?.Service is not { } service
        || (service.Name == options.Value.ServiceName
            && service.NamespaceProperty == (options.Value.Namespace.Length > 0 ? options.Value.Namespace : kubernetes.Value.Namespace));

    private static string TextOf(V1MutatingWebhook hook) =>
        hook.ClientConfig?.CaBundle is { } bundle ? Encoding.UTF8.GetString(bundle) : "";
}

/// <summary>Whom the API server trusts.</summary>
/// <param name="Hooks">Our hooks in the configuration.</param>
/// <param name="IsOurs">Whether the bundles are ours to write.</param>
/// <param name="Version">The configuration's resourceVersion.</param>
internal sealed record PublishedAuthorities(IReadOnlyList<PublishedHook> Hooks, bool IsOurs, string Version)
{
    /// <summary>Those whom all hooks trust.</summary>
    public IReadOnlyList<X509Certificate2> Common => Hooks.Count == 0
        ? []
        : [.. Hooks[0].Authorities.Where(a => Hooks.All(h => h.Authorities.Any(b => CertificateChain.Same(a, b))))];
}

/// <summary>One hook of the configuration.</summary>
internal sealed record PublishedHook(int Index, string Name, IReadOnlyList<X509Certificate2> Authorities)
{
    /// <summary>Whether it trusts exactly these.</summary>
    public bool Holds(IReadOnlyList<X509Certificate2> authorities) =>
        Authorities.Count == authorities.Count && authorities.All(a => Authorities.Any(b => CertificateChain.Same(a, b)));
}
