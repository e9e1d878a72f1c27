using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using k8s.Models;

namespace Carina.Kubernetes.Resources;

/// <summary>
/// An amount of bytes in a custom resource: read in every form that Kubernetes knows ("5Gi", 1024, "1e9"), written as it
/// writes binary quantities.
/// </summary>
[JsonConverter(typeof(QuantityConverter))]
public readonly record struct Quantity
{
    private const string Suffixes = "KMGTPE";

    private readonly string? _text;

    public Quantity(long bytes) => (Bytes, _text) = (bytes, Format(bytes));

    private Quantity(string text) => (Bytes, _text) = (Parse(text), text);

    /// <summary>The bytes, a part of one rounded up; null when the text is no amount that fits.</summary>
    public long? Bytes { get; }

    /// <summary>Takes over whatever stands there.</summary>
    public static Quantity FromText(string text) =>
        Parse(text) is { } bytes ? new Quantity(bytes) : new Quantity(text);

    public override string ToString() => _text ?? "0";

    private static string Format(long bytes)
    {
        var power = 0;
        while (power < Suffixes.Length && bytes != 0 && bytes % 1024 == 0)
        {
            bytes /= 1024;
            power++;
        }

        return bytes.ToString(CultureInfo.InvariantCulture) + (power > 0 ? Suffixes[power - 1] + "i" : "");
    }

    private static long? Parse(string text)
    {
        try
        {
            var value = decimal.Ceiling(new ResourceQuantity(text).ToDecimal());
            return value is >= long.MinValue and <= long.MaxValue ? (long)value : null;
        }
        catch (Exception exception) when (exception is FormatException or OverflowException or ArgumentException)
        {
            // Not an amount: Bytes says so, and whoever needs it names the field.
            return null;
        }
    }
}

/// <summary>Quantities are strings in JSON; people also write numbers.</summary>
public sealed class QuantityConverter : JsonConverter<Quantity>
{
    public override Quantity Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        using var value = JsonDocument.ParseValue(ref reader);
        return Quantity.FromText(value.RootElement.ToString());
    }

    public override void Write(Utf8JsonWriter writer, Quantity value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStringValue(value.ToString());
    }
}
