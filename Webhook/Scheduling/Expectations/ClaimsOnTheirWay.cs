using System.Collections.Concurrent;
using Carina.Grains;
using Carina.Grains.Placement.Pods;
using Carina.Kubernetes.Watching;
using Carina.Webhook.Claims;
using Carina.Webhook.Scheduling.Capacity;
using k8s.Models;

namespace Carina.Webhook.Scheduling.Expectations;

/// <summary>A claim for which a node is chosen, and whose volume does not exist yet as far as Kubernetes knows.</summary>
/// <param name="Key">Namespace and name.</param>
/// <param name="NodeName">The chosen node.</param>
/// <param name="VolumeId">Id that its volume will have.</param>
/// <param name="Demand">What it takes.</param>
internal sealed record ClaimOnItsWay((string Namespace, string Name) Key, string NodeName, string VolumeId, ClaimDemand Demand);

/// <summary>
/// Keeps the short list of such claims, so that not all claims of the cluster are looked at for every pod. The list only
/// says where to look: what counts is the watched claim itself.
/// </summary>
internal sealed class ClaimsOnTheirWay : IDisposable
{
    private readonly IResourceCache<V1PersistentVolumeClaim> _claims;
    private readonly IResourceCache<V1StorageClass> _classes;
    private readonly CapacityView _capacity;
    private readonly ConcurrentDictionary<(string Namespace, string Name), byte> _candidates = new();
    private readonly IDisposable _subscription;

    public ClaimsOnTheirWay(
        IResourceCache<V1PersistentVolumeClaim> claims, IResourceCache<V1StorageClass> classes, CapacityView capacity)
    {
        (_claims, _classes, _capacity) = (claims, classes, capacity);
        _subscription = claims.OnChange(Follow);
        foreach (var claim in claims.All)
        {
            Follow(new(null, claim));
        }
    }

    /// <summary>All of them as they are now.</summary>
    public IReadOnlyList<ClaimOnItsWay> List()
    {
        var found = new List<ClaimOnItsWay>();
        foreach (var key in _candidates.Keys)
        {
            if (Read(key) is { } claim)
            {
                found.Add(claim);
            }
            else
            {
                Forget(key);
            }
        }

        return found;
    }

    /// <summary>Whether it is decided, as far as is known here, where a claim's volume is or will be.</summary>
    public bool IsDecided((string Namespace, string Name) claim) =>
        _claims.Find(claim.Namespace, claim.Name) is { } known && SelectedNode.IsDecided(known);

    public void Dispose() => _subscription.Dispose();

    private void Follow(ResourceChange<V1PersistentVolumeClaim> change)
    {
        if (change.New is { } claim && SelectedNode.Of(claim).Length > 0)
        {
            _candidates.TryAdd(KeyOf(claim), 0);
        }
        else if (change.Old is { } old && SelectedNode.Of(old).Length > 0)
        {
            // Bound, deleted or sent elsewhere: from now on its ledger is the only one to know.
            _capacity.Invalidate();
        }
    }

    private void Forget((string Namespace, string Name) key)
    {
        _candidates.TryRemove(key, out _);

        // It may have been chosen again between looking and removing.
        if (_claims.Find(key.Namespace, key.Name) is { } claim && Provided(claim) && SelectedNode.Of(claim).Length > 0)
        {
            _candidates.TryAdd(key, 0);
        }
    }

    private ClaimOnItsWay? Read((string Namespace, string Name) key)
    {
        if (_claims.Find(key.Namespace, key.Name) is not { } claim || !Provided(claim)
            || SelectedNode.Of(claim) is not { Length: > 0 } node)
        {
            return null;
        }

        var parameters = ClassOf(claim)!.Parameters;
        return new(
            key,
            node,
            SelectedNode.VolumeIdOf(claim.Metadata.Uid),
            ClaimDemand.Read(key.Name, ClassParameters.Normalise(parameters), ClaimTemplate.Of(claim.Metadata, claim.Spec).RequestedBytes));
    }

    private bool Provided(V1PersistentVolumeClaim claim) => ClassOf(claim)?.Provisioner == CarinaNames.Driver;

    private V1StorageClass? ClassOf(V1PersistentVolumeClaim claim) =>
        ClaimTemplate.ClassOf(claim.Metadata.Annotations, claim.Spec?.StorageClassName) is { Length: > 0 } name
            ? _classes.Find("", name)
            : null;

    private static (string, string) KeyOf(V1PersistentVolumeClaim claim) =>
        (claim.Metadata.NamespaceProperty, claim.Metadata.Name);
}
