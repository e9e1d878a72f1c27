using System.Globalization;
using Carina.Grains;

namespace Carina.CsiGateway.Validation;

/// <summary>Parameters of a VolumeAttributesClass: those that can change while a volume is in use.</summary>
internal static class MutableParameterRules
{
    /// <summary>Largest read-ahead in KiB: 128 MiB.</summary>
    public const int MaxReadAheadKiB = 131072;

    private const string Field = "mutable_parameters";

    /// <summary>Checks all of them; nothing may be changed when one is wrong.</summary>
    public static Dictionary<string, string> Read(IReadOnlyDictionary<string, string> parameters)
    {
        TextRules.CheckMap(Field, parameters);
        foreach (var (key, value) in parameters)
        {
            if (key != CarinaNames.ReadAheadKiB)
            {
                throw Refusal.Invalid(
                    Field, $"hold the unknown key {Refusal.Quote(key)}; known is {CarinaNames.ReadAheadKiB}.");
            }

            if (!int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var kib)
                || kib > MaxReadAheadKiB)
            {
                throw Refusal.Invalid(
                    Field, $"hold {key} with {Refusal.Quote(value)}; give a number from 0 to {MaxReadAheadKiB}.");
            }
        }

        return new(parameters);
    }
}
