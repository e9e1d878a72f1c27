using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Carina.Silo.Membership;

/// <summary>
/// A time with all its digits. The Kubernetes client's own converter cuts to microseconds; a row must come back as it
/// went in, since all holders of a table version have to have the same rows.
/// </summary>
internal sealed class ExactTimeConverter : JsonConverter<DateTime>
{
    public override DateTime Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        DateTime.TryParse(
            reader.GetString(),
            CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
            out var time)
            ? time
            : throw new JsonException($"'{reader.GetString()}' is not a time.");

    public override void Write(Utf8JsonWriter writer, DateTime value, JsonSerializerOptions options)
    {
        // Orleans' times are all UTC, also where they do not say so.
        var utc = value.Kind == DateTimeKind.Local ? value.ToUniversalTime() : DateTime.SpecifyKind(value, DateTimeKind.Utc);
        writer.WriteStringValue(utc.ToString("O", CultureInfo.InvariantCulture));
    }
}
