using System.Text.Json;
using System.Text.Json.Nodes;
using Carina.Kubernetes.Client;
using Carina.Kubernetes.Resources;
using k8s;
using k8s.Models;

namespace Carina.Kubernetes.Upgrade;

/// <summary>LogicVolumes as raw JSON, so that nothing of them is lost that a model does not know.</summary>
internal sealed class NamespacedObjects(IKubernetes client)
{
    private const int MaxAttempts = 10;

    public static string NameOf(JsonObject item) => (string)item["metadata"]!["name"]!;

    public static string NamespaceOf(JsonObject item) => (string?)item["metadata"]!["namespace"] ?? "";

    /// <summary>All of them, in all namespaces.</summary>
    public async Task<IReadOnlyList<JsonObject>> ListAsync(CancellationToken cancellationToken)
    {
        var items = new List<JsonObject>();
        string? next = null;
        do
        {
            JsonElement page;
            try
            {
                page = await client.CustomObjects.ListClusterCustomObjectAsync<JsonElement>(
                    CarinaApi.Group, CarinaApi.LogicVolumeVersion, CarinaApi.LogicVolumePlural, continueParameter: next, limit: 500,
                    cancellationToken: cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception.IsNotFound())
            {
                // The definition is gone, and all objects with it.
                return items;
            }

            var list = JsonNode.Parse(page.GetRawText())!;
            foreach (var item in list["items"]!.AsArray())
            {
                var copy = item!.DeepClone().AsObject();
                copy["metadata"]!.AsObject().Remove("managedFields");
                items.Add(copy);
            }

            next = (string?)list["metadata"]!["continue"];
        }
        while (!string.IsNullOrEmpty(next));

        return items;
    }

    /// <summary>Takes the finalizers of one object away, if it is this one and still there.</summary>
    public async Task RemoveFinalizersAsync(JsonObject item, CancellationToken cancellationToken)
    {
        var uid = (string)item["metadata"]!["uid"]!;
        var patch = new JsonObject { ["metadata"] = new JsonObject { ["uid"] = uid, ["finalizers"] = null } };
        try
        {
            await client.CustomObjects.PatchNamespacedCustomObjectAsync<JsonElement>(
                new V1Patch(patch.ToJsonString(), V1Patch.PatchType.MergePatch),
                CarinaApi.Group, CarinaApi.LogicVolumeVersion, NamespaceOf(item), CarinaApi.LogicVolumePlural, NameOf(item),
                cancellationToken: cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception.IsNotFound())
        {
            // It had none, and went with its definition.
        }
    }

    /// <summary>Makes an object anew in cluster scope, with its status; one that is there already keeps what it has.</summary>
    public async Task RestoreAsync(JsonObject item, CancellationToken cancellationToken)
    {
        var metadata = new JsonObject { ["name"] = NameOf(item) };
        foreach (var field in (string[])["labels", "annotations", "finalizers"])
        {
            if (item["metadata"]![field] is { } value)
            {
                metadata[field] = value.DeepClone();
            }
        }

        var made = new JsonObject
        {
            ["apiVersion"] = $"{CarinaApi.Group}/{CarinaApi.LogicVolumeVersion}",
            ["kind"] = CarinaApi.LogicVolumeKind,
            ["metadata"] = metadata,
            ["spec"] = item["spec"]!.DeepClone(),
        };
        try
        {
            await client.CustomObjects.CreateClusterCustomObjectAsync<JsonElement>(
                Element(made), CarinaApi.Group, CarinaApi.LogicVolumeVersion, CarinaApi.LogicVolumePlural,
                cancellationToken: cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception.IsConflict())
        {
            // An earlier attempt, or another replica, made it.
        }

        if (item["status"] is JsonObject { Count: > 0 } status)
        {
            await RestoreStatusAsync(NameOf(item), status, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <exception cref="InvalidOperationException">The object is not back.</exception>
    public async Task RequireRestoredAsync(JsonObject item, CancellationToken cancellationToken)
    {
        var present = await ReadAsync(NameOf(item), cancellationToken).ConfigureAwait(false);
        if ((string?)item["status"]?["volumeID"] is { Length: > 0 } wanted && (string?)present["status"]?["volumeID"] != wanted)
        {
            throw new InvalidOperationException(
                $"LogicVolume '{NameOf(item)}' was not restored: its status.volumeID should be '{wanted}'. It is tried again.");
        }
    }

    private async Task RestoreStatusAsync(string name, JsonObject status, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var present = await ReadAsync(name, cancellationToken).ConfigureAwait(false);
            if (present["status"] is JsonObject { Count: > 0 })
            {
                return;
            }

            present["status"] = status.DeepClone();
            try
            {
                await client.CustomObjects.ReplaceClusterCustomObjectStatusAsync<JsonElement>(
                    Element(present), CarinaApi.Group, CarinaApi.LogicVolumeVersion, CarinaApi.LogicVolumePlural, name,
                    cancellationToken: cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (Exception exception) when (exception.IsConflict())
            {
                // Somebody else restores it, too.
            }
        }
    }

    private async Task<JsonObject> ReadAsync(string name, CancellationToken cancellationToken)
    {
        var item = await client.CustomObjects.GetClusterCustomObjectAsync<JsonElement>(
            CarinaApi.Group, CarinaApi.LogicVolumeVersion, CarinaApi.LogicVolumePlural, name, cancellationToken)
            .ConfigureAwait(false);
        return JsonNode.Parse(item.GetRawText())!.AsObject();
    }

    private static JsonElement Element(JsonObject item) => JsonSerializer.SerializeToElement(item);
}
