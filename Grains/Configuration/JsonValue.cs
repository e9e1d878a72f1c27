using System.Text.Json;

namespace Carina.Grains.Configuration;

/// <summary>A JSON value that knows where in the file it stands. <see cref="JsonDocument"/> does not keep positions.</summary>
internal sealed class JsonValue
{
    public required JsonValueKind Kind { get; init; }

    /// <summary>First byte of the value.</summary>
    public required int Offset { get; init; }

    public JsonValue? Parent { get; init; }

    /// <summary>Name of the field when the parent is an object.</summary>
    public string? Key { get; init; }

    /// <summary>First byte of the field's name.</summary>
    public int KeyOffset { get; init; }

    /// <summary>Position when the parent is an array.</summary>
    public int Index { get; init; }

    /// <summary>A string's characters or a number as it is written; empty otherwise.</summary>
    public string Text { get; init; } = "";

    /// <summary>Elements of an array or values of an object's fields.</summary>
    public List<JsonValue> Children { get; } = [];

    /// <summary>As in <c>diskSelector[1].re[0]</c>.</summary>
    public string Path
    {
        get
        {
            if (Parent is null)
                return "";
            if (Key is null)
                return $"{Parent.Path}[{Index}]";
            return Parent.Parent is null ? ConfigText.Shorten(Key) : $"{Parent.Path}.{ConfigText.Shorten(Key)}";
        }
    }

    /// <summary>How the kind is called in messages.</summary>
    public string KindName => Kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "true or false",
    };

    /// <summary>A field of an object, its name in any case; null when it is missing or null, as viper has it.</summary>
    public JsonValue? Field(string name) => Children.Find(child =>
        child.Kind != JsonValueKind.Null && string.Equals(child.Key, name, StringComparison.OrdinalIgnoreCase));
}
