using System.Text.Json;

namespace Carina.Grains.Configuration;

/// <summary>Reads an object's fields by name and kind, and reports those that are of another kind.</summary>
internal sealed class ConfigFields(JsonValue owner, ConfigProblems problems)
{
    private const char NotUnicode = '\uFFFD';

    /// <summary>A value as messages show it.</summary>
    public static string Shown(JsonValue value) => value.Kind switch
    {
        JsonValueKind.String => ConfigText.Quote(value.Text),
        JsonValueKind.Number => ConfigText.Shorten(value.Text),
        _ => value.KindName,
    };

    /// <summary>The value's text if it is a string, which has otherwise been reported.</summary>
    public static string? TextOf(JsonValue value, ConfigProblems problems)
    {
        if (value.Kind != JsonValueKind.String)
            problems.Error(value, $"Expected a string, found {value.KindName}.");
        else if (value.Text.Contains(NotUnicode, StringComparison.Ordinal))
            problems.Error(value, $"{Shown(value)} is not valid Unicode text.");
        else
            return value.Text;
        return null;
    }

    /// <summary>A string field; null when it is missing, empty or not a string. The last has been reported.</summary>
    public string? Text(string name, out bool isWrong)
    {
        var value = owner.Field(name);
        var text = value is null ? null : TextOf(value, problems);
        isWrong = value is not null && text is null;
        return string.IsNullOrEmpty(text) ? null : text;
    }

    /// <summary>Bytes as a number or a Kubernetes quantity; null when missing or wrong (which is reported).</summary>
    public long? Bytes(string name)
    {
        if (owner.Field(name) is not { } value)
            return null;

        if (value.Kind is not (JsonValueKind.String or JsonValueKind.Number))
            problems.Error(value, $"Expected bytes, found {value.KindName}. Write {ByteQuantity.Allowed}.");
        else if (!ByteQuantity.TryParse(value.Text, out var bytes, out var problem))
            problems.Error(value, problem);
        else
            return bytes;
        return null;
    }

    /// <summary>Reports an error at a field, or at the object when the field is missing.</summary>
    public void Error(string name, string message) => problems.Error(owner.Field(name) ?? owner, message);

    /// <summary>Reports a warning at a field, or at the object when the field is missing.</summary>
    public void Warn(string name, string message) => problems.Warn(owner.Field(name) ?? owner, message);

    /// <summary>Reports fields that nobody reads.</summary>
    public void WarnOfUnknown(IReadOnlyCollection<string> known)
    {
        foreach (var field in owner.Children.Where(child => !known.Contains(child.Key!, StringComparer.OrdinalIgnoreCase)))
            problems.WarnOfField(field, $"This field is unknown and ignored. Known here are {string.Join(", ", known)}.");
    }
}
