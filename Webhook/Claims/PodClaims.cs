using Carina.Grains;
using k8s.Models;

namespace Carina.Webhook.Claims;

/// <inheritdoc cref="IPodClaims"/>
internal sealed class PodClaims(ClaimObjects objects, StatefulSetTemplates templates) : IPodClaims
{
    // Both generations are found on claims.
    private static readonly string[] _provisionerAnnotations =
        ["volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner"];

    /// <summary>All generations of the annotation with which a scheduler says where a volume shall be made.</summary>
    internal static readonly string[] SelectedNodeAnnotations =
    [
        "volume.kubernetes.io/selected-node",
        "volume.beta.kubernetes.io/selected-node",
        "volume.alpha.kubernetes.io/selected-node",
    ];

    public Task Synced => objects.Synced;

    public async ValueTask<IReadOnlyList<PodClaim>> FindAsync(PodOutline pod, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(pod);
        List<PodClaim>? found = null;
        foreach (var volume in pod.Volumes)
        {
            if (await FindAsync(pod, volume, cancellationToken).ConfigureAwait(false) is { } claim)
            {
                (found ??= []).Add(claim);
            }
        }

        return found ?? [];
    }

    private async ValueTask<PodClaim?> FindAsync(PodOutline pod, PodVolume volume, CancellationToken stop)
    {
        var name = volume.Template is null ? volume.Claim : pod.Name.Length == 0 ? "" : $"{pod.Name}-{volume.Name}";

        // What an ephemeral volume will be is in the pod: no need to ask for a claim that nobody has made yet.
        var claim = name.Length == 0 ? null
            : volume.Template is null ? await objects.FindClaimAsync(pod.Namespace, name, stop).ConfigureAwait(false)
            : objects.FindKnownClaim(pod.Namespace, name);
        if (claim is not null)
        {
            return await ReadAsync(volume.Name, claim, stop).ConfigureAwait(false);
        }

        var template = volume.Template ?? await templates.FindAsync(pod, name, stop).ConfigureAwait(false);
        var basis = new PodClaim
        {
            VolumeName = volume.Name,
            Namespace = pod.Namespace,
            Name = name,
            State = template is null ? ClaimState.Unknown : ClaimState.Expected,
        };
        return template is null ? basis : await CompleteAsync(basis, template, "", stop).ConfigureAwait(false);
    }

    private async ValueTask<PodClaim?> ReadAsync(string volume, V1PersistentVolumeClaim claim, CancellationToken stop)
    {
        var annotations = claim.Metadata.Annotations;
        var basis = new PodClaim
        {
            VolumeName = volume,
            Namespace = claim.Metadata.NamespaceProperty,
            Name = claim.Metadata.Name,
            Uid = claim.Metadata.Uid,
            State = ClaimState.Existing,
            SelectedNode = FirstOf(annotations, SelectedNodeAnnotations),
        };
        return await CompleteAsync(
            basis, ClaimTemplate.Of(claim.Metadata, claim.Spec), FirstOf(annotations, _provisionerAnnotations), stop)
            .ConfigureAwait(false);
    }

    /// <summary>Adds class and volume; null when another driver provides it.</summary>
    private async ValueTask<PodClaim?> CompleteAsync(
        PodClaim claim, ClaimTemplate template, string provisioner, CancellationToken stop)
    {
        var volume = template.PersistentVolume.Length == 0
            ? null
            : await objects.FindVolumeAsync(template.PersistentVolume, stop).ConfigureAwait(false);
        var known = template.StorageClass switch
        {
            null => objects.FindDefaultClass(),
            "" => null,
            var name => await objects.FindClassAsync(name, stop).ConfigureAwait(false),
        };

        // The volume itself knows best; the claim still knows when its class was deleted.
        var driver = volume is not null ? volume.Spec?.Csi?.Driver : known?.Provisioner ?? provisioner;
        if (driver != CarinaNames.Driver)
        {
            return null;
        }

        var parameters = known?.Provisioner == CarinaNames.Driver ? known.Parameters : volume?.Spec?.Csi?.VolumeAttributes;
        return claim with
        {
            StorageClass = known,
            Parameters = ClassParameters.Normalise(parameters),
            RequestedBytes = template.RequestedBytes,
            VolumeMode = template.VolumeMode,
            PersistentVolume = template.PersistentVolume,
            Node = volume is null ? "" : VolumeNode.Of(volume),
        };
    }

    internal static string FirstOf(IDictionary<string, string>? annotations, string[] keys)
    {
        foreach (var key in keys)
        {
            if (annotations is not null && annotations.TryGetValue(key, out var value) && value.Length > 0)
            {
                return value;
            }
        }

        return "";
    }
}
