using Carina.Kubernetes.Client;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging;

namespace Carina.Kubernetes.Upgrade;

/// <summary>
/// Brings the cluster's CustomResourceDefinitions up to this build's, before anything is stored: Helm installs what is in
/// crds/ and never touches it again, and an older definition drops the fields that it does not know.
/// </summary>
public sealed partial class DefinitionUpgrade(IKubernetes client, TimeProvider time, ILogger<DefinitionUpgrade> logger)
{
    private const int MaxAttempts = 10;
    private static readonly TimeSpan _pollInterval = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan _settlingTime = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(1);

    /// <summary>Makes what is missing and replaces what is older; a newer definition stays.</summary>
    /// <exception cref="InvalidOperationException">It cannot be done by itself; the message says what to do.</exception>
    public async Task EnsureAsync(CancellationToken cancellationToken)
    {
        foreach (var wanted in Definitions.All)
        {
            await EnsureAsync(wanted, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Brings one definition up to date and waits until its objects can be made.</summary>
    public async Task EnsureAsync(V1CustomResourceDefinition wanted, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(wanted);
        var name = wanted.Metadata.Name;
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var present = await FindAsync(name, cancellationToken).ConfigureAwait(false);
            try
            {
                if (present is null)
                {
                    await client.ApiextensionsV1.CreateCustomResourceDefinitionAsync(wanted, cancellationToken: cancellationToken)
                        .ConfigureAwait(false);
                    LogMade(name, Definitions.RevisionOf(wanted));
                }
                else if (present.Spec.Scope != wanted.Spec.Scope)
                {
                    throw new InvalidOperationException(
                        $"The CustomResourceDefinition {name} has scope {present.Spec.Scope} instead of {wanted.Spec.Scope}, as Carina up to 0.10 "
                        + "made it, and its objects have to be moved first.");
                }
                else if (Definitions.RevisionOf(present) < Definitions.RevisionOf(wanted))
                {
                    var old = Definitions.RevisionOf(present);
                    present.Spec = wanted.Spec;
                    present.EnsureMetadata().EnsureAnnotations()[Definitions.RevisionAnnotation] =
                        wanted.Metadata.Annotations[Definitions.RevisionAnnotation];
                    await client.ApiextensionsV1.ReplaceCustomResourceDefinitionAsync(present, name, cancellationToken: cancellationToken)
                        .ConfigureAwait(false);
                    LogReplaced(name, old, Definitions.RevisionOf(wanted));

                    // It stays established meanwhile; the new schema is served a moment later.
                    await Task.Delay(_settlingTime, time, cancellationToken).ConfigureAwait(false);
                }

                await WaitUntilEstablishedAsync(name, cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (Exception exception) when (exception.IsConflict() || exception.IsNotFound())
            {
                // Another replica does the same; look again.
                await Task.Delay(_pollInterval, time, cancellationToken).ConfigureAwait(false);
            }
        }

        throw new InvalidOperationException(
            $"The CustomResourceDefinition {name} keeps being changed by somebody else; apply the one of the chart (crds/) by hand.");
    }

    private async Task<V1CustomResourceDefinition?> FindAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            return await client.ApiextensionsV1.ReadCustomResourceDefinitionAsync(name, cancellationToken: cancellationToken)
                .ConfigureAwait(false);
        }
        catch (Exception exception) when (exception.IsNotFound())
        {
            return null;
        }
    }

    private async Task WaitUntilEstablishedAsync(string name, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        while (true)
        {
            var present = await client.ApiextensionsV1.ReadCustomResourceDefinitionAsync(name, cancellationToken: cancellationToken)
                .ConfigureAwait(false);
            if (present.Status?.Conditions?.Any(c => c.Type == "Established" && c.Status == "True") == true)
            {
                return;
            }

            if (time.GetElapsedTime(start) > _patience)
            {
                throw new InvalidOperationException(
                    $"The CustomResourceDefinition {name} is not served within {_patience}: "
                    + string.Join("; ", present.Status?.Conditions?.Select(c => $"{c.Type}={c.Status} {c.Message}") ?? []));
            }

            await Task.Delay(_pollInterval, time, cancellationToken).ConfigureAwait(false);
        }
    }

    [LoggerMessage(1, LogLevel.Information, "Made the CustomResourceDefinition {Name}, revision {Revision}")]
    private partial void LogMade(string name, long revision);

    [LoggerMessage(2, LogLevel.Information, "Replaced the CustomResourceDefinition {Name}, revision {Old}, by revision {Revision}")]
    private partial void LogReplaced(string name, long old, long revision);
}
