using System.Buffers;
using System.Text.Json;
using Carina.Grains;

namespace Carina.Webhook.Admission;

/// <summary>What is to change in a pod.</summary>
/// <param name="Decision">Why, for the audit log: a few words.</param>
/// <param name="Scheduler">The scheduler to set; null leaves the pod's.</param>
/// <param name="Failover">Value of the failover annotation to add; null adds none.</param>
internal sealed record PodMutation(string Decision, string? Scheduler = null, string? Failover = null)
{
    public bool IsEmpty => Scheduler is null && Failover is null;

    /// <summary>
    /// The change as JSON Patch (RFC 6902), and nothing but the change: a pod marshalled anew would lose every field that
    /// we do not know.
    /// </summary>
    /// <param name="hasAnnotations">Whether the pod has annotations to add to.</param>
    public byte[] ToPatch(bool hasAnnotations)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartArray();
            if (Scheduler is not null)
            {
                WriteAdd(writer, "/spec/schedulerName");
                writer.WriteStringValue(Scheduler);
                writer.WriteEndObject();
            }

            if (Failover is not null)
            {
                if (hasAnnotations)
                {
                    // A slash in a key is written ~1 (RFC 6901).
                    WriteAdd(writer, "/metadata/annotations/" + CarinaNames.AllowMigration.Replace("/", "~1", StringComparison.Ordinal));
                    writer.WriteStringValue(Failover);
                }
                else
                {
                    WriteAdd(writer, "/metadata/annotations");
                    writer.WriteStartObject();
                    writer.WriteString(CarinaNames.AllowMigration, Failover);
                    writer.WriteEndObject();
                }

                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        }

        return buffer.WrittenSpan.ToArray();
    }

    // "add" also replaces (RFC 6902, 4.1): it is right whether the field is there or not.
    private static void WriteAdd(Utf8JsonWriter writer, string path)
    {
        writer.WriteStartObject();
        writer.WriteString("op", "add");
        writer.WriteString("path", path);
        writer.WritePropertyName("value");
    }
}
