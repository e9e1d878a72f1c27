using Carina.Grains.Nodes;
using Carina.Grains.Storage;
using Carina.Kubernetes.Client;
using Carina.Kubernetes.Resources;
using k8s;
using k8s.Models;

namespace Carina.Silo.Storage.Kubernetes;

/// <summary>
/// Ledgers in the status of NodeStorageResources, next to what users see: one write changes both. Versions count the
/// ledger's changes, so nobody else's edits disturb it.
/// </summary>
internal sealed class NodeStorageStore(IKubernetes client, TimeProvider time) : IRecordStore<NodeRecord>
{
    /// <summary>Edits of others, between our read and our write, that a write puts up with.</summary>
    private const int MaxAttempts = 16;

    private readonly CustomObjectClient<NodeStorageResource> _objects = client.NodeStorageResources();
    private readonly RecordPages<NodeStorageResource, NodeRecord> _pages = new(client.NodeStorageResources(), time);

    public Task<Stored<NodeRecord>?> ReadAsync(string name, CancellationToken cancellationToken) => ApiExceptions.GuardAsync(
        $"The ledger of node '{name}' could not be read",
        async () => await _objects.FindAsync(name, cancellationToken).ConfigureAwait(false) is { } item ? Read(item) : null,
        cancellationToken);

    public Task<string> WriteAsync(string name, NodeRecord value, string? etag, CancellationToken cancellationToken) =>
        ApiExceptions.GuardAsync(
            $"The ledger of node '{name}' could not be written",
            async () =>
            {
                for (var attempt = 0; attempt < MaxAttempts; attempt++)
                {
                    var item = await _objects.FindAsync(name, cancellationToken).ConfigureAwait(false);
                    if ((item is null ? null : ETagOf(item)) != etag)
                    {
                        break;
                    }

                    if (await TryWriteAsync(name, item, value, cancellationToken).ConfigureAwait(false) is { } written)
                    {
                        return ETagOf(written)!;
                    }
                }

                throw new RecordConflictException(name);
            },
            cancellationToken);

    public Task DeleteAsync(string name, string etag, CancellationToken cancellationToken) => ApiExceptions.GuardAsync(
        $"The ledger of node '{name}' could not be deleted",
        async () =>
        {
            for (var attempt = 0; attempt < MaxAttempts; attempt++)
            {
                var item = await _objects.FindAsync(name, cancellationToken).ConfigureAwait(false);
                if (item is null || ETagOf(item) is not { } current)
                {
                    return true;
                }

                if (current != etag)
                {
                    break;
                }

                try
                {
                    await _objects.DeleteAsync(item, cancellationToken).ConfigureAwait(false);
                    return true;
                }
                catch (Exception exception) when (exception.IsConflict())
                {
                    // Somebody else's edit came first; whether it was the ledger's shows at the next look.
                }
            }

            throw new RecordConflictException(name);
        },
        cancellationToken);

    public Task<IReadOnlyList<Stored<NodeRecord>>> ListAsync(string? after, int limit, CancellationToken cancellationToken) =>
        ApiExceptions.GuardAsync(
            "Ledgers could not be listed", () => _pages.ListAsync(after, limit, Read, cancellationToken), cancellationToken);

    // Carina's own objects have no ledger: there is no record then.
    private static string? ETagOf(NodeStorageResource item) =>
        item.Status?.Ledger is { } ledger ? $"{item.Metadata.Uid}/{ledger.Version}" : null;

    private static Stored<NodeRecord>? Read(NodeStorageResource item) => ETagOf(item) is { } etag
        ? new(item.Metadata.Name, NodeStorageMapping.Read(item.Metadata.Name, item.Status!.Ledger!), etag)
        : null;

    /// <summary>One attempt; null when somebody edited the object meanwhile.</summary>
    private async Task<NodeStorageResource?> TryWriteAsync(
        string name, NodeStorageResource? item, NodeRecord value, CancellationToken cancellationToken)
    {
        try
        {
            if (item is null)
            {
                item = await CreateAsync(name, cancellationToken).ConfigureAwait(false);
            }
            else if (item.Spec?.NodeName != name)
            {
                (item.Spec ??= new()).NodeName = name;
                item = await _objects.ReplaceAsync(item, cancellationToken).ConfigureAwait(false);
            }

            item.Status = NodeStorageStatusMapping.ToStatus(value, item.Status, time.GetUtcNow());
            return RequireComplete(await _objects.ReplaceStatusAsync(item, cancellationToken).ConfigureAwait(false));
        }
        catch (Exception exception) when (exception.IsConflict() || (exception.IsNotFound() && item is not null))
        {
            return null;
        }
    }

    private async Task<NodeStorageResource> CreateAsync(string name, CancellationToken cancellationToken)
    {
        var item = new NodeStorageResource { Spec = new() { NodeName = name } };
        item.Metadata.Name = name;
        item.Metadata.OwnerReferences = await FindOwnerAsync(name, cancellationToken).ConfigureAwait(false);
        return await _objects.CreateAsync(item, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The node itself: when it is deleted, its ledger goes with it.</summary>
    private async Task<IList<V1OwnerReference>?> FindOwnerAsync(string node, CancellationToken cancellationToken)
    {
        try
        {
            var owner = await client.CoreV1.ReadNodeAsync(node, cancellationToken: cancellationToken).ConfigureAwait(false);
            return [new() { ApiVersion = V1Node.KubeApiVersion, Kind = V1Node.KubeKind, Name = node, Uid = owner.Metadata.Uid }];
        }
        catch (Exception exception) when (exception.IsNotFound())
        {
            return null;
        }
    }

    private static NodeStorageResource RequireComplete(NodeStorageResource written) => written.Status?.Ledger is not null
        ? written
        : throw new InvalidOperationException(
            $"The ledger of node '{written.Metadata.Name}' was not stored: the CustomResourceDefinition "
            + "nodestorageresources.carina.storage.io in this cluster is older than this driver. Apply the one of the chart (crds/).");
}
