using k8s.Models;

namespace Carina.Silo.Storage.Kubernetes;

/// <summary>Conditions as the Kubernetes API conventions have them: the time moves only with the status.</summary>
internal static class ConditionList
{
    public const string True = "True";
    public const string False = "False";

    /// <summary>Sets a condition; whether anything changed but the generation observed.</summary>
    public static bool Set(
        this IList<V1Condition> conditions, string type, bool status, string reason, string message, long? generation,
        DateTimeOffset now)
    {
        var value = status ? True : False;
        var present = conditions.FirstOrDefault(c => c.Type == type);
        if (present is null)
        {
            present = new V1Condition { Type = type };
            conditions.Add(present);
        }

        var changed = present.Status != value || present.Reason != reason || present.Message != message;
        if (present.Status != value)
        {
            present.LastTransitionTime = now.UtcDateTime;
        }

        (present.Status, present.Reason, present.Message, present.ObservedGeneration) = (value, reason, message, generation);
        return changed;
    }

    /// <summary>Takes a condition away; whether there was one.</summary>
    public static bool Remove(this IList<V1Condition> conditions, string type) =>
        conditions.FirstOrDefault(c => c.Type == type) is { } present && conditions.Remove(present);
}
