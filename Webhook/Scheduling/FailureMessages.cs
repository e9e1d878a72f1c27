using Carina.Grains.Placement.Pods;

namespace Carina.Webhook.Scheduling;

/// <summary>
/// Why nodes do not fit, as the scheduler shows it in the pod's events and condition. It counts equal messages and lists
/// all different ones, so in large clusters only some nodes are told of one by one.
/// </summary>
internal static class FailureMessages
{
    public static IReadOnlyDictionary<string, string> Write(IEnumerable<NodePlan> plans, int detailed)
    {
        var messages = new Dictionary<string, string>(StringComparer.Ordinal);

        // Those first for which waiting makes sense.
        var failed = plans.Where(p => p.Obstacle is not null)
            .OrderBy(p => p.Obstacle!.Permanent)
            .ThenBy(p => p.NodeName, StringComparer.Ordinal);
        foreach (var plan in failed)
        {
            messages[plan.NodeName] = messages.Count < detailed
                ? $"carina: {plan.NodeName}: {plan.Obstacle!.Reason}"
                : $"carina: {plan.Obstacle!.Summary}";
        }

        return messages;
    }
}
