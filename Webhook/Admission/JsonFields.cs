using System.Text.Json;

namespace Carina.Webhook.Admission;

/// <summary>Fields of a JSON object; null counts as absent, as in Kubernetes.</summary>
internal static class JsonFields
{
    /// <summary>A field of a certain kind, or nothing.</summary>
    /// <exception cref="AdmissionFormatException">The field is of another kind.</exception>
    public static JsonElement? Find(this JsonElement parent, string name, JsonValueKind kind, string path)
    {
        if (!parent.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        return value.ValueKind == kind
            ? value
            : throw new AdmissionFormatException($"{path}.{name} is {Describe(value.ValueKind)}, not {Describe(kind)}.");
    }

    public static JsonElement? FindObject(this JsonElement parent, string name, string path) =>
        parent.Find(name, JsonValueKind.Object, path);

    /// <summary>A text; empty when absent.</summary>
    public static string Text(this JsonElement parent, string name, string path) =>
        parent.Find(name, JsonValueKind.String, path)?.GetString() ?? "";

    /// <summary>The objects in a list; none when it is absent.</summary>
    public static IEnumerable<JsonElement> Objects(this JsonElement parent, string name, string path)
    {
        if (parent.Find(name, JsonValueKind.Array, path) is not { } list)
        {
            yield break;
        }

        foreach (var item in list.EnumerateArray())
        {
            yield return item.ValueKind == JsonValueKind.Object
                ? item
                : throw new AdmissionFormatException($"{path}.{name} holds {Describe(item.ValueKind)} where an object belongs.");
        }
    }

    public static string Describe(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a text",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "a truth value",
        _ => "nothing",
    };
}
