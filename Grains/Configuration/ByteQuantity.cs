using System.Globalization;

namespace Carina.Grains.Configuration;

/// <summary>
/// Amounts of bytes as Kubernetes writes them ("10Gi", "500M", "1.5Gi", "1e9"; API reference, resource.Quantity).
/// </summary>
internal static class ByteQuantity
{
    public const string Allowed = "a number of bytes, or a quantity such as \"10Gi\", \"1.5Gi\" or \"500M\" (Ki, Mi, Gi, Ti, Pi, Ei count in 1024s; k, M, G, T, P, E in 1000s)";

    private const int MaxLength = 40;
    private const string Prefixes = "kMGTPE";

    /// <summary>
    /// Reads a quantity, a part of a byte rounded up. False when it is none, is negative or exceeds 2^63 - 1;
    /// <paramref name="problem"/> then says so.
    /// </summary>
    public static bool TryParse(string text, out long bytes, out string problem)
    {
        bytes = 0;
        var digits = 0;
        while (digits < text.Length && (char.IsAsciiDigit(text[digits]) || text[digits] is '.' || (digits == 0 && text[0] is '+' or '-')))
            digits++;

        const NumberStyles Style = NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign;
        problem = $"{ConfigText.Quote(text)} is not an amount of bytes. Write {Allowed}.";
        if (text.Length > MaxLength
            || !decimal.TryParse(text.AsSpan(0, digits), Style, CultureInfo.InvariantCulture, out var number)
            || !TryGetMultiplier(text[digits..], out var multiplier))
            return false;

        if (number < 0)
        {
            problem = $"{ConfigText.Quote(text)} is negative. Write {Allowed}.";
            return false;
        }

        if (number > long.MaxValue / multiplier)
        {
            problem = $"{ConfigText.Quote(text)} is more than {long.MaxValue} bytes (just under 8Ei).";
            return false;
        }

        bytes = (long)decimal.Ceiling(number * multiplier);
        return true;
    }

    private static bool TryGetMultiplier(string suffix, out decimal multiplier)
    {
        multiplier = 1;
        if (suffix.Length == 0)
            return true;

        // "1E" is an exabyte, "1E3" is a thousand.
        if (suffix[0] is 'e' or 'E' && suffix.Length > 1 && suffix[1] != 'i')
            return TryGetPowerOfTen(suffix[1..], out multiplier);

        var binary = suffix.EndsWith('i');
        var prefix = binary ? suffix[..^1] : suffix;
        if (prefix.Length != 1)
            return false;

        // Kubernetes writes 1000 as "k" and 1024 as "Ki".
        var power = binary && prefix == "K" ? 1 : binary && prefix == "k" ? 0 : Prefixes.IndexOf(prefix[0], StringComparison.Ordinal) + 1;
        for (var i = 0; i < power; i++)
            multiplier *= binary ? 1024 : 1000;
        return power > 0;
    }

    private static bool TryGetPowerOfTen(string exponent, out decimal multiplier)
    {
        multiplier = 1;
        if (!int.TryParse(exponent, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var power)
            || power is < 0 or > 18)
            return false;
        for (var i = 0; i < power; i++)
            multiplier *= 10;
        return true;
    }
}
