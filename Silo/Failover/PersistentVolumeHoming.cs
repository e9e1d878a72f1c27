using System.Text.Json;
using Carina.Grains;
using Carina.Grains.Errors;
using Carina.Kubernetes.Client;
using k8s;
using k8s.Models;

namespace Carina.Silo.Failover;

/// <summary>A PersistentVolume that is to be where its volume now is.</summary>
/// <param name="Name">The PersistentVolume's name.</param>
/// <param name="VolumeId">The volume handle that it must have.</param>
/// <param name="NodeName">The node that holds the volume now.</param>
/// <param name="Manifest">What <see cref="PersistentVolumeHoming"/> had remembered before; empty at first.</param>
internal sealed record HomingRequest(string Name, string VolumeId, string NodeName, string Manifest);

/// <summary>
/// Binds a claim's PersistentVolume to another node. Claim, handle and the PersistentVolume's name stay; only pods that
/// start from then on are concerned.
/// </summary>
/// <remarks>
/// A PersistentVolume's node affinity cannot change (except where the API server has MutablePVNodeAffinity, which is
/// tried first). So it is deleted and made again under its name, with the same claimRef: the claim notices a moment
/// without it, and is touched until it is Bound again. In between the manifest exists nowhere but in what was remembered.
/// </remarks>
internal sealed partial class PersistentVolumeHoming(IKubernetes client, TimeProvider time, ILogger<PersistentVolumeHoming> logger)
{
    /// <summary>Annotation of the claim that makes Kubernetes look at it again; its value is when.</summary>
    public const string RehomedAt = "carina.storage.io/rehomed-at";

    private const string SelectedNode = "volume.kubernetes.io/selected-node";
    private const string Bound = "Bound";
    private const int MaxAttempts = 5;
    private static readonly TimeSpan _bindingPatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan _touchAgain = TimeSpan.FromMilliseconds(200);

    /// <summary>Does it; repeated after a crash at any point, it finishes what was begun.</summary>
    /// <param name="request">What to move where.</param>
    /// <param name="remember">Stores the manifest durably; awaited before anything is deleted.</param>
    /// <param name="cancellationToken">Ends it; what was begun is finished by a repetition.</param>
    /// <returns>False when there is no PersistentVolume and none was remembered: nobody uses the volume.</returns>
    /// <exception cref="StorageException">
    /// FailedPrecondition when the object of that name is of another volume; Unavailable when it was changed all the time.
    /// </exception>
    public async Task<bool> RehomeAsync(
        HomingRequest request, Func<string, Task> remember, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        var manifest = request.Manifest;
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            try
            {
                var found = await FindAsync(request.Name, cancellationToken).ConfigureAwait(false);
                if (found is null && manifest.Length == 0)
                {
                    return false;
                }

                if (found is not null)
                {
                    RequireOurs(found, request);
                }

                var wanted = Wanted(found ?? KubernetesJson.Deserialize<V1PersistentVolume>(manifest), request);
                if (found is null || !IsAt(found, request.NodeName) || found.Metadata.DeletionTimestamp is not null)
                {
                    if (found is null || !await TryPatchAsync(found, wanted, cancellationToken).ConfigureAwait(false))
                    {
                        // Of what is deleted in a moment, a conflict leaves nothing that could be found again.
                        manifest = KubernetesJson.Serialize(wanted);
                        await remember(manifest).ConfigureAwait(false);
                        await ReplaceAsync(found, wanted, cancellationToken).ConfigureAwait(false);
                    }

                    LogRehomed(request.Name, request.VolumeId, request.NodeName);
                }

                await BindAsync(wanted, request.NodeName, cancellationToken).ConfigureAwait(false);
                return true;
            }
            catch (Exception exception) when (exception.IsConflict())
            {
                // Somebody changed it meanwhile, perhaps another coordinator: look again.
                LogChanged(request.Name, exception.Describe());
            }
        }

        throw new StorageException(
            StorageErrorCode.Unavailable,
            $"PersistentVolume '{request.Name}' was changed by others all the time; it is not bound to node '{request.NodeName}' yet.");
    }

    private static void RequireOurs(V1PersistentVolume found, HomingRequest request)
    {
        if (found.Spec.Csi?.Driver != CarinaNames.Driver || found.Spec.Csi.VolumeHandle != request.VolumeId)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"PersistentVolume '{found.Metadata.Name}' is not of volume '{request.VolumeId}' but of "
                + $"'{found.Spec.Csi?.Driver}' '{found.Spec.Csi?.VolumeHandle}': it is left alone.");
        }
    }

    private static bool IsAt(V1PersistentVolume volume, string node) =>
        volume.Spec.NodeAffinity?.Required?.NodeSelectorTerms is [{ MatchExpressions: [var only] }]
        && only.Key == CarinaNames.TopologyKey && only.Values is [var at] && at == node;

    /// <summary>The manifest to be: as found, at the other node, and without what the API server fills in.</summary>
    private static V1PersistentVolume Wanted(V1PersistentVolume from, HomingRequest request)
    {
        var wanted = KubernetesJson.Deserialize<V1PersistentVolume>(KubernetesJson.Serialize(from));
        wanted.Metadata = new()
        {
            Name = request.Name,
            Labels = from.Metadata.Labels,
            Annotations = from.Metadata.Annotations,
            Finalizers = from.Metadata.Finalizers,
        };
        wanted.Status = null;
        // Its version is of the claim as it was; the uid is what ties them.
        wanted.Spec.ClaimRef?.ResourceVersion = null;
        wanted.Spec.NodeAffinity = new()
        {
            Required = new()
            {
                NodeSelectorTerms =
                [
                    new()
                    {
                        MatchExpressions =
                        [
                            new() { Key = CarinaNames.TopologyKey, OperatorProperty = "In", Values = [request.NodeName] },
                        ],
                    },
                ],
            },
        };
        if (wanted.Spec.Csi?.VolumeAttributes is { } attributes && attributes.ContainsKey(CarinaNames.Node))
        {
            attributes[CarinaNames.Node] = request.NodeName;
        }

        return wanted;
    }

    private async Task<V1PersistentVolume?> FindAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            return await client.CoreV1.ReadPersistentVolumeAsync(name, cancellationToken: cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception.IsNotFound())
        {
            return null;
        }
    }

    /// <summary>False where node affinity cannot change: almost everywhere.</summary>
    private async Task<bool> TryPatchAsync(
        V1PersistentVolume found, V1PersistentVolume wanted, CancellationToken cancellationToken)
    {
        if (found.Metadata.DeletionTimestamp is not null)
        {
            return false;
        }

        var patch = JsonSerializer.Serialize(new
        {
            metadata = new { resourceVersion = found.Metadata.ResourceVersion },
            spec = new
            {
                nodeAffinity = JsonDocument.Parse(KubernetesJson.Serialize(wanted.Spec.NodeAffinity)).RootElement,
            },
        });
        try
        {
            await client.CoreV1.PatchPersistentVolumeAsync(
                new V1Patch(patch, V1Patch.PatchType.MergePatch), found.Metadata.Name, cancellationToken: cancellationToken)
                .ConfigureAwait(false);
            return true;
        }
        catch (Exception exception) when (exception.IsInvalid())
        {
            return false;
        }
    }

    private async Task ReplaceAsync(
        V1PersistentVolume? found, V1PersistentVolume wanted, CancellationToken cancellationToken)
    {
        if (found is not null)
        {
            // While its phase is Bound no provisioner deletes the volume behind it.
            await DeleteAsync(found, cancellationToken).ConfigureAwait(false);
        }

        await client.CoreV1.CreatePersistentVolumeAsync(wanted, cancellationToken: cancellationToken).ConfigureAwait(false);
    }

    private async Task DeleteAsync(V1PersistentVolume found, CancellationToken cancellationToken)
    {
        try
        {
            if (found.Metadata.DeletionTimestamp is null)
            {
                await client.CoreV1.DeletePersistentVolumeAsync(
                    found.Metadata.Name,
                    new() { Preconditions = new() { Uid = found.Metadata.Uid } },
                    cancellationToken: cancellationToken).ConfigureAwait(false);
            }

            // Applies to this very object only; protection of bound volumes is what is taken off.
            var release = JsonSerializer.Serialize(new object[]
            {
                new { op = "test", path = "/metadata/uid", value = found.Metadata.Uid },
                new { op = "add", path = "/metadata/finalizers", value = Array.Empty<string>() },
            });
            await client.CoreV1.PatchPersistentVolumeAsync(
                new V1Patch(release, V1Patch.PatchType.JsonPatch), found.Metadata.Name, cancellationToken: cancellationToken)
                .ConfigureAwait(false);
        }
        catch (Exception exception) when (exception.IsNotFound())
        {
            // Gone already.
        }
    }

    /// <summary>Waits for volume and claim to be Bound, and has the claim looked at until they are.</summary>
    private async Task BindAsync(V1PersistentVolume volume, string node, CancellationToken cancellationToken)
    {
        if (volume.Spec.ClaimRef is not { } owner)
        {
            return;
        }

        var start = time.GetTimestamp();
        while (await FindClaimAsync(owner, cancellationToken).ConfigureAwait(false) is { } claim)
        {
            // The volume's phase too: a claim that still says Bound may not have noticed yet that it was gone.
            if (claim.Status?.Phase == Bound && IsSelected(claim, node)
                && (await FindAsync(volume.Metadata.Name, cancellationToken).ConfigureAwait(false))?.Status?.Phase == Bound)
            {
                return;
            }

            if (time.GetElapsedTime(start) > _bindingPatience)
            {
                throw new StorageException(
                    StorageErrorCode.Unavailable,
                    $"Claim '{owner.NamespaceProperty}/{owner.Name}' is {claim.Status?.Phase} and not Bound again "
                    + $"{_bindingPatience.TotalSeconds:0} s after its volume moved; is kube-controller-manager there?");
            }

            // One that lost its volume is looked at again when it changes, or after 15 s.
            await TouchAsync(claim, node, cancellationToken).ConfigureAwait(false);
            await Task.Delay(_touchAgain, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<V1PersistentVolumeClaim?> FindClaimAsync(V1ObjectReference owner, CancellationToken cancellationToken)
    {
        try
        {
            var claim = await client.CoreV1.ReadNamespacedPersistentVolumeClaimAsync(
                owner.Name, owner.NamespaceProperty, cancellationToken: cancellationToken).ConfigureAwait(false);
            return claim.Metadata.Uid == owner.Uid ? claim : null;
        }
        catch (Exception exception) when (exception.IsNotFound())
        {
            return null;
        }
    }

    private static bool IsSelected(V1PersistentVolumeClaim claim, string node) =>
        claim.Metadata.Annotations?.TryGetValue(SelectedNode, out var selected) != true || selected == node;

    private async Task TouchAsync(V1PersistentVolumeClaim claim, string node, CancellationToken cancellationToken)
    {
        var annotations = new Dictionary<string, string> { [RehomedAt] = time.GetUtcNow().ToString("O") };
        if (claim.Metadata.Annotations?.ContainsKey(SelectedNode) == true)
        {
            annotations[SelectedNode] = node;
        }

        var patch = JsonSerializer.Serialize(new { metadata = new { uid = claim.Metadata.Uid, annotations } });
        await client.CoreV1.PatchNamespacedPersistentVolumeClaimAsync(
            new V1Patch(patch, V1Patch.PatchType.MergePatch),
            claim.Metadata.Name,
            claim.Metadata.NamespaceProperty,
            cancellationToken: cancellationToken).ConfigureAwait(false);
    }

    [LoggerMessage(1, LogLevel.Information, "PersistentVolume {Name} of volume {VolumeId} is bound to node {Node} now")]
    private partial void LogRehomed(string name, string volumeId, string node);

    [LoggerMessage(2, LogLevel.Information, "PersistentVolume {Name} was changed meanwhile ({Reason}); looks again")]
    private partial void LogChanged(string name, string reason);
}
