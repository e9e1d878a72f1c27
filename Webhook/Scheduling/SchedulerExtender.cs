using Carina.Grains.Configuration;
using Carina.Grains.Placement.Pods;
using Carina.Webhook.Claims;
using Carina.Webhook.Scheduling.Capacity;
using Carina.Webhook.Scheduling.Expectations;
using Carina.Webhook.Scheduling.Protocol;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Carina.Webhook.Scheduling;

/// <summary>
/// Answers schedulers: where the volumes of a pod can be made, all together, and which node the strategy prefers. It only
/// forecasts; what is promised is decided by the ledgers when the volumes are made, and a wrong forecast costs time.
/// </summary>
internal sealed partial class SchedulerExtender(
    IPodClaims claims,
    CapacityView capacity,
    ClaimsOnTheirWay onTheirWay,
    TentativePlacements tentative,
    ICarinaConfigSource config,
    IOptions<SchedulingOptions> options,
    ILogger<SchedulerExtender> logger)
{
    /// <summary>Which nodes can take the pod.</summary>
    /// <exception cref="UndecidableException">Nothing can be said now.</exception>
    public async Task<FilterResult> FilterAsync(ExtenderRequest request, CancellationToken cancellationToken)
    {
        var pod = await PlanAsync(request, cancellationToken).ConfigureAwait(false);
        var fitting = pod.Plans.Where(p => p.Fits).ToList();

        // A scheduler does not ask for scores when there is nothing to choose.
        if (fitting.Count == 1)
        {
            Expect(request, pod, fitting[0].NodeName);
        }

        LogFiltered(request.Pod.Namespace, request.Pod.Name, fitting.Count, pod.Plans.Count);
        return new()
        {
            Passed = [.. fitting.Select(p => p.NodeName)],
            Failed = FailureMessages.Write(pod.Plans, options.Value.DetailedNodes),
            Unresolvable = pod.Plans.Where(p => p.Obstacle is { Permanent: true }).Select(p => p.NodeName).ToHashSet(),
        };
    }

    /// <summary>How well nodes suit the pod.</summary>
    /// <exception cref="UndecidableException">Nothing can be said now.</exception>
    public async Task<IReadOnlyList<HostPriority>> PrioritizeAsync(ExtenderRequest request, CancellationToken cancellationToken)
    {
        var pod = await PlanAsync(request, cancellationToken).ConfigureAwait(false);
        var scores = Suitability.Scale(pod.Demand, pod.Plans);
        var best = pod.Demand.IsEmpty ? null : Suitability.FindBest(pod.Plans);
        if (best is not null)
        {
            Expect(request, pod, best.NodeName);
        }

        return
        [
            .. pod.Plans.Zip(scores, (plan, score) => new HostPriority(
                plan.NodeName, ReferenceEquals(plan, best) ? HostPriority.Highest : ScoreOf(score, best is not null))),
        ];
    }

    // Only one node has the highest score: schedulers choose at random among equals, and could not be foreseen.
    private static int ScoreOf(int score, bool oneIsBest)
    {
        var scaled = score * HostPriority.Highest / Suitability.Highest;
        return oneIsBest ? Math.Min(scaled, HostPriority.Highest - 1) : scaled;
    }

    private async Task<PlannedPod> PlanAsync(ExtenderRequest request, CancellationToken cancellationToken)
    {
        tentative.Forget(request.PodUid);

        // Just started, it does not know yet what is on its way.
        await claims.Synced.WaitAsync(cancellationToken).ConfigureAwait(false);
        var found = await claims.FindAsync(request.Pod, cancellationToken).ConfigureAwait(false);
        var own = found.DistinctBy(c => (c.Namespace, c.Name)).ToList();
        if (own.FirstOrDefault(c => c.State == ClaimState.Unknown) is { } unknown)
        {
            throw new UndecidableException(
                $"claim {unknown.Namespace}/{unknown.Name} is not known here yet, so it cannot be said where the pod can go");
        }

        var toMake = own.Where(c => c.PersistentVolume.Length == 0).ToList();
        var pins = own.Where(c => c.Node.Length > 0).Select(c => new ClaimPin(c.Name, c.Node)).ToList();
        if (toMake.Count == 0)
        {
            var pinned = new PodDemand { Pins = pins };
            return new(pinned, PodPlanner.Plan(pinned, request.NodeNames, [], [], config.Current.Strategy), []);
        }

        // In this order a claim that is just being decided is counted twice, which the keys show, and never not at all.
        var steered = tentative.List().Where(t => !onTheirWay.IsDecided(t.Claim.Key)).ToList();
        var coming = onTheirWay.List();
        var nodes = await capacity.ReadAsync(() => AwaitedOf(coming), cancellationToken).ConfigureAwait(false);
        var promised = nodes.SelectMany(n => n.Promised.Select(volume => (n.NodeName, volume))).ToHashSet();
        var demands = toMake.Select(c => DemandOf(c, promised)).ToList();
        var counted = toMake.Select(c => (c.Namespace, c.Name)).ToHashSet();
        var demand = new PodDemand { Claims = [.. demands.Select(d => d.Demand)], Pins = pins };
        var expected = coming
            .Where(c => counted.Add(c.Key) && !promised.Contains((c.NodeName, c.VolumeId)))
            .Select(c => new ExpectedDemand(c.NodeName, c.Demand.Parts))
            .Concat(steered
                .Where(t => counted.Add(t.Claim.Key))
                .Select(t => new ExpectedDemand(t.NodeName, t.Claim.Demand.Parts)))
            .ToList();
        return new(
            demand, PodPlanner.Plan(demand, request.NodeNames, nodes, expected, config.Current.Strategy), demands);
    }

    private void Expect(ExtenderRequest request, PlannedPod pod, string node)
    {
        if (pod.Claims.Count > 0)
        {
            tentative.Place(request.PodUid, node, pod.Claims);
        }
    }

    private static TentativeClaim DemandOf(PodClaim claim, HashSet<(string, string)> promised)
    {
        var demand = ClaimDemand.Read(claim.Name, claim.Parameters, claim.RequestedBytes);
        var isMade = claim is { SelectedNode.Length: > 0, Uid.Length: > 0 }
            && promised.Contains((claim.SelectedNode, SelectedNode.VolumeIdOf(claim.Uid)));
        return new((claim.Namespace, claim.Name), isMade ? demand with { PromisedAt = claim.SelectedNode } : demand);
    }

    private static Dictionary<string, List<string>> AwaitedOf(IReadOnlyList<ClaimOnItsWay> coming) =>
        coming.GroupBy(c => c.NodeName, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.Select(c => c.VolumeId).ToList(), StringComparer.Ordinal);

    [LoggerMessage(1, LogLevel.Debug, "Pod {Namespace}/{Pod}: its volumes fit on {Fitting} of {Nodes} nodes")]
    private partial void LogFiltered(string @namespace, string pod, int fitting, int nodes);

    private sealed record PlannedPod(PodDemand Demand, IReadOnlyList<NodePlan> Plans, IReadOnlyList<TentativeClaim> Claims);
}

/// <summary>Nothing can be said now; the message is for the scheduler's log and the pod's events.</summary>
internal sealed class UndecidableException(string message) : Exception(message);
