using System.Globalization;
using Carina.Kubernetes.Client;
using Carina.Kubernetes.Watching;
using Carina.Webhook.Hosting;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Options;

namespace Carina.Webhook.Certificates;

/// <summary>
/// Certificates in a Secret. Replicas agree by compare-and-swap: who writes second sees a conflict and reads again.
/// </summary>
internal sealed class CertificateSecret(
    IKubernetes client, IOptions<WebhookOptions> options, IOptions<KubernetesOptions> kubernetes, TimeProvider time)
    : ICertificateStore
{
    private const string ChangedAtAnnotation = "carina.storage.io/certificates-changed-at";
    private const string CertManagerPrefix = "cert-manager.io/";

    public TimeSpan? CheckInterval => null;

    private string Namespace => options.Value.Namespace.Length > 0 ? options.Value.Namespace : kubernetes.Value.Namespace;

    private string Name => options.Value.SecretName;

    /// <summary>The Secret alone, so that permission for its name is enough.</summary>
    public ResourceSource<V1Secret> Source()
    {
        var selector = $"metadata.name={Name}";
        return new(
            $"secret {Name}",
            async (page, stop) =>
            {
                var list = await client.CoreV1.ListNamespacedSecretAsync(
                    Namespace, continueParameter: page, fieldSelector: selector, cancellationToken: stop).ConfigureAwait(false);
                return new(list.Items, list.Metadata.ResourceVersion, list.Metadata.ContinueProperty);
            },
            (version, seconds, stop) => client.CoreV1.WatchListNamespacedSecretAsync(
                Namespace, allowWatchBookmarks: true, fieldSelector: selector, resourceVersion: version, timeoutSeconds: seconds,
                cancellationToken: stop));
    }

    public async Task<StoredCertificates> ReadAsync(CancellationToken cancellationToken)
    {
        var place = $"Secret {Namespace}/{Name}";
        V1Secret secret;
        try
        {
            secret = await client.CoreV1.ReadNamespacedSecretAsync(Name, Namespace, cancellationToken: cancellationToken)
                .ConfigureAwait(false);
        }
        catch (Exception exception) when (exception.IsNotFound())
        {
            return new(
                place, new Dictionary<string, byte[]>(), DateTimeOffset.MinValue,
                options.Value.ExternalCertificates ? null : (data, stop) => TryAsync(() => CreateAsync(data, stop)));
        }

        var isOurs = !options.Value.ExternalCertificates
            && !(secret.Metadata.Annotations?.Keys.Any(k => k.StartsWith(CertManagerPrefix, StringComparison.Ordinal)) ?? false);
        return new(
            place,
            (secret.Data ?? new Dictionary<string, byte[]>()).ToDictionary(d => d.Key, d => d.Value),
            DateTimeOffset.TryParse(
                secret.GetAnnotation(ChangedAtAnnotation), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at)
                ? at
                : DateTimeOffset.MinValue,
            isOurs ? (data, stop) => TryAsync(() => ReplaceAsync(secret, data, stop)) : null);
    }

    private Task<V1Secret> CreateAsync(IReadOnlyDictionary<string, byte[]> data, CancellationToken stop) =>
        client.CoreV1.CreateNamespacedSecretAsync(
            new V1Secret
            {
                Metadata = new() { Name = Name, NamespaceProperty = Namespace, Annotations = Stamp(null) },
                Type = "kubernetes.io/tls",
                Data = data.ToDictionary(d => d.Key, d => d.Value),
            },
            Namespace,
            cancellationToken: stop);

    // With the resourceVersion that was read; keys that are not ours stay.
    private Task<V1Secret> ReplaceAsync(V1Secret secret, IReadOnlyDictionary<string, byte[]> data, CancellationToken stop)
    {
        secret.Data ??= new Dictionary<string, byte[]>();
        foreach (var (key, value) in data)
        {
            secret.Data[key] = value;
        }

        secret.Metadata.Annotations = Stamp(secret.Metadata.Annotations);
        return client.CoreV1.ReplaceNamespacedSecretAsync(secret, Name, Namespace, cancellationToken: stop);
    }

    private Dictionary<string, string> Stamp(IDictionary<string, string>? annotations) =>
        new(annotations ?? new Dictionary<string, string>())
        {
            [ChangedAtAnnotation] = time.GetUtcNow().ToString("O", CultureInfo.InvariantCulture),
        };

    private static async Task<bool> TryAsync(Func<Task> write)
    {
        try
        {
            await write().ConfigureAwait(false);
            return true;
        }
        catch (Exception exception) when (exception.IsConflict() || exception.IsNotFound())
        {
            return false;
        }
    }
}
