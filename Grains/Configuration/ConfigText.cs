using System.Globalization;
using System.Text;

namespace Carina.Grains.Configuration;

/// <summary>Turns text of the file into something that can be shown in a message, a log line or an Event.</summary>
internal static class ConfigText
{
    private const int MaxShown = 60;

    /// <summary>The text in double quotes, shortened, its control characters escaped.</summary>
    public static string Quote(string text) => $"\"{Shorten(text)}\"";

    /// <summary>The text shortened, its control characters escaped.</summary>
    public static string Shorten(string text)
    {
        var shown = new StringBuilder();
        foreach (var character in text.AsSpan(0, Math.Min(text.Length, MaxShown)))
        {
            if (char.IsControl(character) || char.IsSurrogate(character))
                shown.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}");
            else
                shown.Append(character);
        }

        return text.Length > MaxShown ? shown.Append("...").ToString() : shown.ToString();
    }
}
