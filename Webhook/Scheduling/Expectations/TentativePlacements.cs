using System.Collections.Concurrent;
using Carina.Grains.Placement.Pods;
using Microsoft.Extensions.Options;

namespace Carina.Webhook.Scheduling.Expectations;

/// <summary>A claim of a pod that was just told where it could go.</summary>
/// <param name="Key">Namespace and name.</param>
/// <param name="Demand">What it takes.</param>
internal sealed record TentativeClaim((string Namespace, string Name) Key, ClaimDemand Demand);

/// <summary>
/// Remembers for some seconds which node a pod was steered to. A scheduler goes on to the next pod before it has written
/// down where the last one goes; without this they would all be sent to the same node. It is a guess: where a pod went
/// elsewhere, others wait, at most for so long.
/// </summary>
internal sealed class TentativePlacements(IOptions<SchedulingOptions> options, TimeProvider time)
{
    private readonly ConcurrentDictionary<string, Placement> _pods = new(StringComparer.Ordinal);

    /// <summary>Counts a pod's volumes on a node; only the last node of a pod counts.</summary>
    public void Place(string podUid, string node, IReadOnlyList<TentativeClaim> claims)
    {
        if (podUid.Length == 0)
        {
            return;
        }

        var now = time.GetTimestamp();
        RemoveLapsed();
        while (_pods.Count >= options.Value.MaxTentativePods && !_pods.ContainsKey(podUid)
            && _pods.OrderBy(p => p.Value.Since).Select(p => p.Key).FirstOrDefault() is { } oldest)
        {
            _pods.TryRemove(oldest, out _);
        }

        _pods[podUid] = new(node, claims, now);
    }

    /// <summary>The pod is looked at again: where it was sent before does not count.</summary>
    public void Forget(string podUid) => _pods.TryRemove(podUid, out _);

    /// <summary>All claims that still count, with the node.</summary>
    public IEnumerable<(string NodeName, TentativeClaim Claim)> List()
    {
        RemoveLapsed();
        return _pods.Values.SelectMany(p => p.Claims.Select(claim => (p.NodeName, claim)));
    }

    private void RemoveLapsed()
    {
        foreach (var pod in _pods)
        {
            if (time.GetElapsedTime(pod.Value.Since) > options.Value.TentativeLifetime)
            {
                // Only that one: the pod may have been placed anew.
                _pods.TryRemove(pod);
            }
        }
    }

    private sealed record Placement(string NodeName, IReadOnlyList<TentativeClaim> Claims, long Since);
}
