using System.Text.Json.Nodes;
using Carina.Kubernetes.Client;
using Carina.Kubernetes.Resources;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Carina.Kubernetes.Upgrade;

/// <summary>
/// Moves LogicVolumes of Carina up to 0.10, which were namespaced by mistake, to cluster scope. A definition's scope
/// cannot be changed, so it goes and comes back, and its objects with it: dump, compare, let go, delete, make, restore.
/// A crash anywhere is gone on from there by whoever comes next; nothing is deleted before the dump was read back.
/// </summary>
public sealed partial class NamespacedVolumes(
    IKubernetes client, IOptions<KubernetesOptions> options, TimeProvider time, ILogger<NamespacedVolumes> logger)
{
    private const string Definition = $"{CarinaApi.LogicVolumePlural}.{CarinaApi.Group}";
    private static readonly TimeSpan _pollInterval = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(2);

    private readonly VolumeDump _dump = new(client, options.Value.Namespace);
    private readonly NamespacedObjects _objects = new(client);

    /// <summary>Whether there is anything to move, or a move to finish.</summary>
    public async Task<bool> IsNeededAsync(CancellationToken cancellationToken) =>
        IsNamespaced(await FindDefinitionAsync(cancellationToken).ConfigureAwait(false))
        || await _dump.IsPendingAsync(cancellationToken).ConfigureAwait(false);

    /// <summary>Moves everything. Calls <paramref name="makeDefinition"/> when the old definition is gone.</summary>
    /// <exception cref="InvalidOperationException">It cannot go on; the message says what has to be done first.</exception>
    public async Task MoveAsync(Func<CancellationToken, Task> makeDefinition, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(makeDefinition);
        var definition = await FindDefinitionAsync(cancellationToken).ConfigureAwait(false);
        if (IsNamespaced(definition))
        {
            await RequireNoOldAgentsAsync(cancellationToken).ConfigureAwait(false);
            if (definition!.Metadata.DeletionTimestamp is null)
            {
                await DumpAsync(cancellationToken).ConfigureAwait(false);
                await DeleteAsync(definition, cancellationToken).ConfigureAwait(false);
            }

            // What an interrupted deletion left holding on is in the dump already.
            await LetGoAsync(cancellationToken).ConfigureAwait(false);
            await WaitUntilGoneAsync(definition, cancellationToken).ConfigureAwait(false);
        }

        await makeDefinition(cancellationToken).ConfigureAwait(false);
        if (await _dump.IsPendingAsync(cancellationToken).ConfigureAwait(false))
        {
            await RestoreAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task RequireNoOldAgentsAsync(CancellationToken cancellationToken)
    {
        var old = await OldAgents.FindAsync(client, cancellationToken).ConfigureAwait(false);
        if (old.Count > 0)
        {
            throw new InvalidOperationException(
                "LogicVolumes have to be moved to cluster scope, which is not safe while Carina's own agents run: they delete "
                + $"volumes whose object they do not see. Waiting for these pods to go: {string.Join(", ", old.Take(20))}. "
                + "Finish the rollout of the DaemonSet and delete the old Deployment if it stays.");
        }
    }

    private async Task DumpAsync(CancellationToken cancellationToken)
    {
        var items = await _objects.ListAsync(cancellationToken).ConfigureAwait(false);
        var twice = items.GroupBy(NamespacedObjects.NameOf, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1);
        if (twice is not null)
        {
            throw new InvalidOperationException(
                $"There are {twice.Count()} LogicVolumes named '{twice.Key}' in different namespaces "
                + $"({string.Join(", ", twice.Select(NamespacedObjects.NamespaceOf))}), which cannot all have that name in the "
                + "cluster. Delete the one that belongs to no PersistentVolume, its finalizer first. Nothing was changed.");
        }

        await _dump.WriteAsync(items, cancellationToken).ConfigureAwait(false);
        var kept = await _dump.ReadAsync(cancellationToken).ConfigureAwait(false);
        var now = await _objects.ListAsync(cancellationToken).ConfigureAwait(false);
        if (!Versions(kept).SetEquals(Versions(now)))
        {
            throw new InvalidOperationException(
                "LogicVolumes are still being changed while they are to be moved to cluster scope; it is tried again when they rest. Nothing was deleted.");
        }

        LogDumped(kept.Count, options.Value.Namespace, VolumeDump.IndexName);
    }

    private static HashSet<string> Versions(IEnumerable<JsonObject> items) =>
        [.. items.Select(i => $"{i["metadata"]!["uid"]}/{i["metadata"]!["resourceVersion"]}")];

    /// <summary>Deletes the definition; its objects are kept by their finalizers until <see cref="LetGoAsync"/>.</summary>
    private async Task DeleteAsync(V1CustomResourceDefinition definition, CancellationToken cancellationToken)
    {
        await client.ApiextensionsV1.DeleteCustomResourceDefinitionAsync(
            Definition,
            new V1DeleteOptions { Preconditions = new() { Uid = definition.Metadata.Uid } },
            cancellationToken: cancellationToken).ConfigureAwait(false);
        LogDeleted(Definition);
    }

    private async Task LetGoAsync(CancellationToken cancellationToken)
    {
        var kept = (await _dump.ReadAsync(cancellationToken).ConfigureAwait(false))
            .Select(i => (string)i["metadata"]!["uid"]!).ToHashSet(StringComparer.Ordinal);

        // Without a namespace: another replica was faster.
        var items = await _objects.ListAsync(cancellationToken).ConfigureAwait(false);
        foreach (var item in items.Where(i => NamespacedObjects.NamespaceOf(i).Length > 0))
        {
            if (!kept.Contains((string)item["metadata"]!["uid"]!))
            {
                throw new InvalidOperationException(
                    $"LogicVolume {NamespacedObjects.NamespaceOf(item)}/{NamespacedObjects.NameOf(item)} is not in the dump "
                    + $"{options.Value.Namespace}/{VolumeDump.IndexName}: somebody made it in between. Save it and remove its finalizers by hand.");
            }

            await _objects.RemoveFinalizersAsync(item, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task WaitUntilGoneAsync(V1CustomResourceDefinition definition, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        while ((await FindDefinitionAsync(cancellationToken).ConfigureAwait(false))?.Metadata.Uid == definition.Metadata.Uid)
        {
            if (time.GetElapsedTime(start) > _patience)
            {
                throw new InvalidOperationException(
                    $"The CustomResourceDefinition {Definition} of old is being deleted and does not go; its LogicVolumes are safe in "
                    + $"ConfigMaps {options.Value.Namespace}/{VolumeDump.IndexName}*. See what holds it: kubectl get crd {Definition} -o yaml.");
            }

            await Task.Delay(_pollInterval, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task RestoreAsync(CancellationToken cancellationToken)
    {
        var items = await _dump.ReadAsync(cancellationToken).ConfigureAwait(false);
        foreach (var item in items)
        {
            await _objects.RestoreAsync(item, cancellationToken).ConfigureAwait(false);
        }

        foreach (var item in items)
        {
            await _objects.RequireRestoredAsync(item, cancellationToken).ConfigureAwait(false);
        }

        await _dump.CloseAsync(cancellationToken).ConfigureAwait(false);
        LogRestored(items.Count);
    }

    private static bool IsNamespaced(V1CustomResourceDefinition? definition) => definition?.Spec.Scope == "Namespaced";

    private async Task<V1CustomResourceDefinition?> FindDefinitionAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await client.ApiextensionsV1.ReadCustomResourceDefinitionAsync(Definition, cancellationToken: cancellationToken)
                .ConfigureAwait(false);
        }
        catch (Exception exception) when (exception.IsNotFound())
        {
            return null;
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "{Count} namespaced LogicVolumes of Carina up to 0.10 are kept in ConfigMaps {Namespace}/{Name}*")]
    private partial void LogDumped(int count, string @namespace, string name);

    [LoggerMessage(2, LogLevel.Warning, "Deleted the namespaced CustomResourceDefinition {Name}; its objects come back in cluster scope")]
    private partial void LogDeleted(string name);

    [LoggerMessage(3, LogLevel.Warning, "{Count} LogicVolumes are back, in cluster scope")]
    private partial void LogRestored(int count);
}
