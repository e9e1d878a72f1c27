using Carina.Kubernetes.Resources;
using k8s;
using k8s.Models;

namespace Carina.Kubernetes.Client;

/// <summary>Requests for one kind of cluster-scoped custom resource with a status subresource.</summary>
public sealed class CustomObjectClient<T>(IKubernetes client, string group, string version, string plural)
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    /// <summary>The object, or null when there is none.</summary>
    public async Task<T?> FindAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            return await client.CustomObjects
                .GetClusterCustomObjectAsync<T>(group, version, plural, name, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception.IsNotFound())
        {
            return null;
        }
    }

    public Task<T> CreateAsync(T item, CancellationToken cancellationToken) => client.CustomObjects
        .CreateClusterCustomObjectAsync<T>(item, group, version, plural, cancellationToken: cancellationToken);

    /// <summary>Replaces everything but status, if the object is at the resourceVersion that it carries.</summary>
    public Task<T> ReplaceAsync(T item, CancellationToken cancellationToken) => client.CustomObjects
        .ReplaceClusterCustomObjectAsync<T>(
            item, group, version, plural, item.Metadata.Name, cancellationToken: cancellationToken);

    /// <summary>Replaces status alone, if the object is at the resourceVersion that it carries.</summary>
    public Task<T> ReplaceStatusAsync(T item, CancellationToken cancellationToken) => client.CustomObjects
        .ReplaceClusterCustomObjectStatusAsync<T>(
            item, group, version, plural, item.Metadata.Name, cancellationToken: cancellationToken);

    /// <summary>Deletes the object if it is this one at this version; one that is gone already is success.</summary>
    public async Task DeleteAsync(T item, CancellationToken cancellationToken)
    {
        var body = new V1DeleteOptions
        {
            Preconditions = new() { Uid = item.Metadata.Uid, ResourceVersion = item.Metadata.ResourceVersion },
        };
        try
        {
            await client.CustomObjects.DeleteClusterCustomObjectAsync(
                group, version, plural, item.Metadata.Name, body, cancellationToken: cancellationToken)
                .ConfigureAwait(false);
        }
        catch (Exception exception) when (exception.IsNotFound())
        {
            // Somebody was faster.
        }
    }

    /// <summary>One page of all objects, in ordinal order of their names.</summary>
    public Task<CustomList<T>> ListAsync(string? page, int limit, CancellationToken cancellationToken) =>
        client.CustomObjects.ListClusterCustomObjectAsync<CustomList<T>>(
            group, version, plural, continueParameter: page, limit: limit, cancellationToken: cancellationToken);
}

/// <summary>Clients of the driver's own kinds.</summary>
public static class CustomObjectClients
{
    public static CustomObjectClient<LogicVolume> LogicVolumes(this IKubernetes client) =>
        new(client, CarinaApi.Group, CarinaApi.LogicVolumeVersion, CarinaApi.LogicVolumePlural);

    public static CustomObjectClient<NodeStorageResource> NodeStorageResources(this IKubernetes client) =>
        new(client, CarinaApi.Group, CarinaApi.NodeStorageResourceVersion, CarinaApi.NodeStorageResourcePlural);
}
