using System.Text;
using System.Text.Json;

namespace Carina.Grains.Configuration;

/// <summary>Reads a file into <see cref="JsonValue"/>s.</summary>
internal static class JsonValueReader
{
    /// <summary>Our deepest field is at depth 4; the rest is for fields that are not ours.</summary>
    public const int MaxDepth = 16;

    /// <summary>Values of all kinds in one file.</summary>
    public const int MaxValues = 100_000;

    /// <summary>The value of the file; null when it is not JSON, which has then been reported.</summary>
    public static JsonValue? Read(ReadOnlySpan<byte> text, ConfigProblems problems)
    {
        var reader = new Utf8JsonReader(text, new JsonReaderOptions { MaxDepth = MaxDepth });
        try
        {
            reader.Read();
            var count = 0;
            var root = ReadValue(ref reader, null, null, 0, 0, ref count, problems);
            if (count > MaxValues)
            {
                problems.Error((int)reader.TokenStartIndex, "", $"There are more than {MaxValues} values; that is not a configuration.");
                return null;
            }

            // What follows the value is not JSON and throws.
            reader.Read();
            return root;
        }
        catch (JsonException e)
        {
            var offset = problems.OffsetOfLine(e.LineNumber ?? 0) + (int)(e.BytePositionInLine ?? 0);
            problems.Error(offset, "", $"This is not JSON: {Sentence(e.Message)} (JSON has no comments and no comma after the last element.)");
            return null;
        }
    }

    private static JsonValue ReadValue(
        ref Utf8JsonReader reader, JsonValue? parent, string? key, int keyOffset, int index, ref int count, ConfigProblems problems)
    {
        count++;
        var value = new JsonValue
        {
            Kind = KindOf(reader.TokenType),
            Offset = (int)reader.TokenStartIndex,
            Parent = parent,
            Key = key,
            KeyOffset = keyOffset,
            Index = index,
            Text = reader.TokenType is JsonTokenType.String or JsonTokenType.Number ? TextOf(ref reader) : "",
        };
        if (value.Kind == JsonValueKind.Object)
            ReadFields(ref reader, value, ref count, problems);
        else if (value.Kind == JsonValueKind.Array)
            ReadElements(ref reader, value, ref count, problems);
        return value;
    }

    private static void ReadFields(ref Utf8JsonReader reader, JsonValue owner, ref int count, ConfigProblems problems)
    {
        var names = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        while (count <= MaxValues && reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            var key = TextOf(ref reader);
            var keyOffset = (int)reader.TokenStartIndex;
            reader.Read();
            var value = ReadValue(ref reader, owner, key, keyOffset, 0, ref count, problems);
            if (names.TryAdd(key, key))
                owner.Children.Add(value);
            else
                problems.Error(keyOffset, value.Path,
                    $"The field stands twice in its object (as {ConfigText.Quote(names[key])} before; capitals do not matter). Keep one.");
        }
    }

    private static void ReadElements(ref Utf8JsonReader reader, JsonValue owner, ref int count, ConfigProblems problems)
    {
        while (count <= MaxValues && reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            owner.Children.Add(ReadValue(ref reader, owner, null, 0, owner.Children.Count, ref count, problems));
    }

    private static JsonValueKind KindOf(JsonTokenType token) => token switch
    {
        JsonTokenType.StartObject => JsonValueKind.Object,
        JsonTokenType.StartArray => JsonValueKind.Array,
        JsonTokenType.String => JsonValueKind.String,
        JsonTokenType.Number => JsonValueKind.Number,
        JsonTokenType.True => JsonValueKind.True,
        JsonTokenType.False => JsonValueKind.False,
        _ => JsonValueKind.Null,
    };

    /// <summary>Decodes the token; what is not Unicode becomes U+FFFD, which no field accepts.</summary>
    private static string TextOf(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.Number || !reader.ValueIsEscaped)
            return Encoding.UTF8.GetString(reader.ValueSpan);
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            // An escaped half of a surrogate pair: the raw text shows best what stands there.
            return Encoding.UTF8.GetString(reader.ValueSpan) + '\uFFFD';
        }
    }

    /// <summary>The exception's text without the position, which we give, and without the rest of the file, which it echoes.</summary>
    private static string Sentence(string message)
    {
        var position = message.LastIndexOf(" LineNumber:", StringComparison.Ordinal);
        var sentence = position < 0 ? message : message[..position];
        var echoed = sentence.LastIndexOf("' is ", StringComparison.Ordinal);
        return sentence.StartsWith('\'') && echoed > 0
            ? ConfigText.Quote(sentence[1..echoed]) + sentence[(echoed + 1)..]
            : sentence;
    }
}
