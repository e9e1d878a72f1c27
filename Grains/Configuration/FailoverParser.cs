using System.Globalization;
using System.Text.Json;
using Carina.Grains.Failover;

namespace Carina.Grains.Configuration;

/// <summary>Reads <c>failover</c> of <c>config.json</c>; what is missing has its default.</summary>
internal static class FailoverParser
{
    private const int MaxCooldownSeconds = 86400;
    private const int MaxRetentionHours = 24 * 3660;

    private static readonly string[] _fields =
    [
        "enabled", "dryRun", "maxLostNodesPercent", "cooldownSeconds", "skipCordonedNodes", "fastDetection", "handOver",
        "copyRetentionHours",
    ];

    public static FailoverOptions Read(JsonValue? value, ConfigProblems problems)
    {
        var defaults = new FailoverOptions();
        if (value is null)
            return defaults;

        if (value.Kind != JsonValueKind.Object)
        {
            problems.Error(value, $"Expected an object, {{\"enabled\": true}}, found {value.KindName}.");
            return defaults;
        }

        new ConfigFields(value, problems).WarnOfUnknown(_fields);
        return new FailoverOptions
        {
            Enabled = Switch("enabled", defaults.Enabled),
            DryRun = Switch("dryRun", defaults.DryRun),
            MaxLostNodesPercent = Number("maxLostNodesPercent", 0, FailoverOptions.MostLostNodesPercent, defaults.MaxLostNodesPercent),
            Cooldown = TimeSpan.FromSeconds(Number("cooldownSeconds", 0, MaxCooldownSeconds, (int)defaults.Cooldown.TotalSeconds)),
            SkipCordonedNodes = Switch("skipCordonedNodes", defaults.SkipCordonedNodes),
            CopyRetention = Number("copyRetentionHours", 0, MaxRetentionHours, 0) is > 0 and var hours ? TimeSpan.FromHours(hours) : null,
            FastDetection = Switch("fastDetection", defaults.FastDetection),
            HandOver = ReadHandOver(defaults.HandOver),
        };

        HandOver ReadHandOver(HandOver otherwise)
        {
            if (value.Field("handOver") is not { } field)
                return otherwise;

            if (field.Kind == JsonValueKind.String && HandOverPolicy.TryParse(field.Text, out var handOver))
                return handOver;

            problems.Error(field, $"{ConfigFields.Shown(field)} is none of {string.Join(", ", HandOverPolicy.Values)}.");
            return otherwise;
        }

        bool Switch(string name, bool otherwise)
        {
            switch (value.Field(name))
            {
                case null:
                    return otherwise;
                case { Kind: JsonValueKind.True }:
                    return true;
                case { Kind: JsonValueKind.False }:
                    return false;
                case { } wrong:
                    problems.Error(wrong, $"{ConfigFields.Shown(wrong)} is neither true nor false.");
                    return otherwise;
            }
        }

        int Number(string name, int least, int most, int otherwise)
        {
            if (value.Field(name) is not { } field)
                return otherwise;

            if (field.Kind == JsonValueKind.Number
                && int.TryParse(field.Text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                && number >= least && number <= most)
            {
                return number;
            }

            problems.Error(field, $"{ConfigFields.Shown(field)} is not a whole number from {least} to {most}.");
            return otherwise;
        }
    }
}
