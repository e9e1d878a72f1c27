using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Carina.Kubernetes.Client;
using k8s;
using k8s.Models;

namespace Carina.Silo.Events;

/// <summary>Writes core/v1 Events; the same one again is counted, not written anew.</summary>
internal sealed class KubernetesEvents(IKubernetes client, TimeProvider time)
{
    /// <summary>Source of all events, as users know it from Carina.</summary>
    private const string Component = "logicvolume-node";

    // Events of cluster-scoped objects are in the default namespace.
    private const string ForClusterScope = "default";
    private const int MaxMessageChars = 1000;
    private const int MaxAttempts = 5;

    /// <param name="about">The object; its uid may be empty when it is gone.</param>
    public async Task WriteAsync(
        V1ObjectReference about, bool warning, string reason, string message, CancellationToken cancellationToken)
    {
        message = message.Length > MaxMessageChars ? message[..MaxMessageChars] + "…" : message;
        var now = time.GetUtcNow().UtcDateTime;
        var ns = string.IsNullOrEmpty(about.NamespaceProperty) ? ForClusterScope : about.NamespaceProperty;
        var item = new Corev1Event
        {
            Metadata = new() { Name = NameOf(about, reason, message), NamespaceProperty = ns },
            InvolvedObject = about,
            Type = warning ? "Warning" : "Normal",
            Reason = reason,
            Message = message,
            Source = new() { Component = Component },
            ReportingComponent = Component,
            FirstTimestamp = now,
            LastTimestamp = now,
            Count = 1,
        };
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            try
            {
                await client.CoreV1.CreateNamespacedEventAsync(item, ns, cancellationToken: cancellationToken)
                    .ConfigureAwait(false);
                return;
            }
            catch (Exception exception) when (exception.IsConflict())
            {
                if (await TryCountAsync(item, now, cancellationToken).ConfigureAwait(false))
                {
                    return;
                }
            }
        }
    }

    private async Task<bool> TryCountAsync(Corev1Event item, DateTime now, CancellationToken cancellationToken)
    {
        try
        {
            var present = await client.CoreV1.ReadNamespacedEventAsync(
                item.Metadata.Name, item.Metadata.NamespaceProperty, cancellationToken: cancellationToken).ConfigureAwait(false);
            present.Count = (present.Count ?? 1) + 1;
            present.LastTimestamp = now;
            await client.CoreV1.ReplaceNamespacedEventAsync(
                present, present.Metadata.Name, item.Metadata.NamespaceProperty, cancellationToken: cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (Exception exception) when (exception.IsConflict() || exception.IsNotFound())
        {
            return false;
        }
    }

    private static string NameOf(V1ObjectReference about, string reason, string message)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{about.Uid}\n{reason}\n{message}"));
        return string.Create(CultureInfo.InvariantCulture, $"{about.Name}.{Convert.ToHexStringLower(hash.AsSpan(0, 8))}");
    }
}
