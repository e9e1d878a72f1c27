using System.Text.Json;
using Carina.Webhook.Claims;
using k8s;
using k8s.Models;

namespace Carina.Webhook.Admission;

/// <summary>
/// A pod about to be created, as far as we look at it. Read straight from the JSON: a whole V1Pod costs many times as
/// much, and all pods of the cluster come through here.
/// </summary>
internal sealed class AdmittedPod
{
    private readonly JsonElement? _annotations;

    private AdmittedPod(JsonElement? annotations)
    {
        _annotations = annotations;
    }

    public required PodOutline Outline { get; init; }

    /// <summary>Name of the scheduler; empty when none is named.</summary>
    public required string Scheduler { get; init; }

    /// <summary>The node that the pod is bound to already (DaemonSets of old); empty otherwise.</summary>
    public required string Node { get; init; }

    /// <summary>Whether there is a map of annotations that one can be added to.</summary>
    public bool HasAnnotations => _annotations is not null;

    /// <summary>Reads it.</summary>
    /// <exception cref="AdmissionFormatException">The object is not a pod.</exception>
    public static AdmittedPod Read(JsonElement pod, string ns)
    {
        var metadata = pod.FindObject("metadata", "object")
            ?? throw new AdmissionFormatException("object.metadata is missing.");
        var spec = pod.FindObject("spec", "object") ?? throw new AdmissionFormatException("object.spec is missing.");
        var own = metadata.Text("namespace", "object.metadata");
        return new AdmittedPod(metadata.FindObject("annotations", "object.metadata"))
        {
            Outline = new(
                own.Length > 0 ? own : ns,
                metadata.Text("name", "object.metadata"),
                ReadStatefulSet(metadata),
                ReadVolumes(spec)),
            Scheduler = spec.Text("schedulerName", "object.spec"),
            Node = spec.Text("nodeName", "object.spec"),
        };
    }

    public bool HasAnnotation(string key) => _annotations?.TryGetProperty(key, out _) ?? false;

    private static string ReadStatefulSet(JsonElement metadata)
    {
        const string Path = "object.metadata.ownerReferences";
        foreach (var owner in metadata.Objects("ownerReferences", "object.metadata"))
        {
            if (owner.TryGetProperty("controller", out var controller) && controller.ValueKind == JsonValueKind.True
                && owner.Text("kind", Path) == "StatefulSet" && PodOutline.IsApps(owner.Text("apiVersion", Path)))
            {
                return owner.Text("name", Path);
            }
        }

        return "";
    }

    private static List<PodVolume> ReadVolumes(JsonElement spec)
    {
        const string Path = "object.spec.volumes";
        var volumes = new List<PodVolume>();
        foreach (var volume in spec.Objects("volumes", "object.spec"))
        {
            if (volume.FindObject("persistentVolumeClaim", Path) is { } source)
            {
                if (source.Text("claimName", Path) is { Length: > 0 } claim)
                {
                    volumes.Add(new(volume.Text("name", Path), claim, null));
                }
            }
            else if (volume.FindObject("ephemeral", Path)?.FindObject("volumeClaimTemplate", Path) is { } template)
            {
                volumes.Add(new(volume.Text("name", Path), "", ReadTemplate(template)));
            }
        }

        return volumes;
    }

    private static ClaimTemplate ReadTemplate(JsonElement json)
    {
        try
        {
            var template = KubernetesJson.Deserialize<V1PersistentVolumeClaimTemplate>(json);
            return ClaimTemplate.Of(template.Metadata, template.Spec);
        }
        catch (Exception exception) when (exception is JsonException or FormatException or OverflowException)
        {
            throw new AdmissionFormatException($"object.spec.volumes.ephemeral.volumeClaimTemplate: {exception.Message}");
        }
    }
}
