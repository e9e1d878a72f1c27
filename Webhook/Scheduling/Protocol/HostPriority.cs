using System.Text.Json;

namespace Carina.Webhook.Scheduling.Protocol;

/// <summary>One entry of the answer to a prioritize request (<c>HostPriorityList</c>).</summary>
/// <param name="Host">The node.</param>
/// <param name="Score">From 0 to <see cref="Highest"/>; the scheduler multiplies it by the extender's weight.</param>
internal sealed record HostPriority(string Host, int Score)
{
    /// <summary>MaxExtenderPriority of k8s.io/kube-scheduler/extender/v1.</summary>
    public const int Highest = 10;

    public static void Write(Utf8JsonWriter writer, IReadOnlyList<HostPriority> priorities)
    {
        writer.WriteStartArray();
        foreach (var priority in priorities)
        {
            writer.WriteStartObject();
            writer.WriteString("host", priority.Host);
            writer.WriteNumber("score", priority.Score);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }
}
