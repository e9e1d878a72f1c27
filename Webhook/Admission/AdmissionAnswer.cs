using System.Buffers;
using System.Text.Json;

namespace Carina.Webhook.Admission;

/// <summary>The answer to an AdmissionReview. It always allows: this webhook has no right to refuse.</summary>
internal static class AdmissionAnswer
{
    /// <summary>Writes the review that answers a request.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="request">What was asked.</param>
    /// <param name="patch">The change as JSON Patch; empty for none.</param>
    /// <param name="decision">For the audit log; empty for none.</param>
    /// <param name="warning">For the person who made the request; empty for none.</param>
    public static void Write(
        IBufferWriter<byte> output, AdmissionRequest request, ReadOnlySpan<byte> patch, string decision, string warning)
    {
        using var writer = new Utf8JsonWriter(output);
        writer.WriteStartObject();
        writer.WriteString("kind", "AdmissionReview");
        writer.WriteString("apiVersion", request.ApiVersion);
        writer.WriteStartObject("response");
        writer.WriteString("uid", request.Uid);
        writer.WriteBoolean("allowed", true);
        if (!patch.IsEmpty)
        {
            writer.WriteString("patchType", "JSONPatch");
            writer.WriteBase64String("patch", patch);
        }

        if (decision.Length > 0)
        {
            writer.WriteStartObject("auditAnnotations");
            writer.WriteString("decision", decision);
            writer.WriteEndObject();
        }

        if (warning.Length > 0)
        {
            writer.WriteStartArray("warnings");
            writer.WriteStringValue(warning);
            writer.WriteEndArray();
        }

        writer.WriteEndObject();
        writer.WriteEndObject();
    }
}
