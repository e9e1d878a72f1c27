using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using k8s;

namespace Carina.Kubernetes.Resources;

/// <summary>
/// Tells a spec that the driver wrote from one that somebody edited: the driver puts a checksum of all other fields into
/// the same write. It is no secret and keeps nobody out; it catches slips of the hand.
/// </summary>
public static class SpecChecksum
{
    private const string Field = "checksum";

    /// <summary>The checksum of all fields but itself; their order does not count.</summary>
    public static string Of(LogicVolumeSpec spec)
    {
        var fields = FieldsOf(spec);
        fields.Remove(Field);
        using var text = new MemoryStream();
        using (var writer = new Utf8JsonWriter(text))
        {
            Write(writer, fields);
        }

        return Convert.ToHexStringLower(SHA256.HashData(text.GetBuffer().AsSpan(0, (int)text.Length)).AsSpan(0, 16));
    }

    public static bool Fits(LogicVolumeSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        return spec.Checksum == Of(spec);
    }

    /// <summary>Names of the fields in which two specs differ, with what stands in each.</summary>
    public static IEnumerable<(string Field, string Ours, string Theirs)> Differences(
        LogicVolumeSpec ours, LogicVolumeSpec theirs)
    {
        var (mine, other) = (FieldsOf(ours), FieldsOf(theirs));
        return mine.Select(f => f.Key).Union(other.Select(f => f.Key), StringComparer.Ordinal)
            .Where(key => !JsonNode.DeepEquals(mine[key], other[key]))
            .Select(key => (key, Text(mine[key]), Text(other[key])));
    }

    private static string Text(JsonNode? node) => node switch
    {
        null => "",
        JsonValue value => value.ToString(),
        _ => node.ToJsonString(),
    };

    private static JsonObject FieldsOf(LogicVolumeSpec spec) =>
        JsonNode.Parse(KubernetesJson.Serialize(spec))!.AsObject();

    private static void Write(Utf8JsonWriter writer, JsonNode? node)
    {
        switch (node)
        {
            case JsonObject map:
                writer.WriteStartObject();
                foreach (var (key, value) in map.OrderBy(f => f.Key, StringComparer.Ordinal))
                {
                    writer.WritePropertyName(key);
                    Write(writer, value);
                }

                writer.WriteEndObject();
                break;
            case JsonArray list:
                writer.WriteStartArray();
                foreach (var item in list)
                {
                    Write(writer, item);
                }

                writer.WriteEndArray();
                break;
            case null:
                writer.WriteNullValue();
                break;
            default:
                node.WriteTo(writer);
                break;
        }
    }
}
