using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Carina.Grains.Configuration;

/// <summary>
/// Reads <c>config.json</c> in every spelling that Carina 0.9 to 0.14 understood, plus our own optional fields. A file
/// is taken as a whole or not at all, and never throws.
/// </summary>
public static class CarinaConfigParser
{
    /// <summary>Largest file, in bytes: what a ConfigMap can hold.</summary>
    public const int MaxBytes = 1 << 20;

    /// <summary>Shortest time between periodic scans; Carina raises what is shorter.</summary>
    public static readonly TimeSpan MinScanInterval = TimeSpan.FromSeconds(300);

    /// <summary>Longest time between periodic scans: timers count no further than 49 days.</summary>
    public static readonly TimeSpan MaxScanInterval = TimeSpan.FromDays(30);

    private static readonly string[] _fields =
        ["diskSelector", "diskSelectors", "diskScanInterval", "schedulerStrategy", "diskGroupPolicy", "failover"];

    /// <summary>Reads a configuration from text.</summary>
    public static ConfigParseResult Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Length > MaxBytes ? TooLarge() : Parse(Encoding.UTF8.GetBytes(text));
    }

    /// <summary>Reads a configuration from the bytes of a file: UTF-8, with or without a byte order mark.</summary>
    public static ConfigParseResult Parse(ReadOnlyMemory<byte> utf8)
    {
        if (utf8.Length > MaxBytes)
            return TooLarge();
        if (utf8.Span.StartsWith(Encoding.UTF8.Preamble))
            utf8 = utf8[Encoding.UTF8.Preamble.Length..];

        var problems = new ConfigProblems(utf8);
        var root = JsonValueReader.Read(utf8.Span, problems);
        var config = root is null ? null : Read(root, problems);
        return new ConfigParseResult
        {
            Config = problems.HasErrors ? null : config,
            Errors = problems.Errors,
            Warnings = problems.Warnings,
        };
    }

    private static ConfigParseResult TooLarge() => new()
    {
        Errors = [ConfigProblem.OfFile($"The file is larger than {MaxBytes} bytes, more than a ConfigMap can hold.")],
        Warnings = [],
    };

    private static CarinaConfig? Read(JsonValue root, ConfigProblems problems)
    {
        if (root.Kind != JsonValueKind.Object)
        {
            problems.Error(root, $"The file has to be an object, {{\"diskSelector\": [...]}}, but is {root.KindName}.");
            return null;
        }

        var fields = new ConfigFields(root, problems);
        fields.WarnOfUnknown(_fields);
        var selector = root.Field("diskSelector");
        var plural = root.Field("diskSelectors");
        if (selector is not null && plural is not null)
            problems.Error(plural.KeyOffset, plural.Path, "The file has diskSelector and diskSelectors, which mean the same. Keep diskSelector.");

        return new CarinaConfig
        {
            Groups = DiskGroupParser.Read(selector ?? plural, problems),
            ScanInterval = ReadScanInterval(root.Field("diskScanInterval"), problems),
            Strategy = ReadStrategy(fields),
            Failover = FailoverParser.Read(root.Field("failover"), problems),
        };
    }

    /// <summary>Seconds as a number or a string of digits; none, "" and 0 mean off.</summary>
    private static TimeSpan? ReadScanInterval(JsonValue? value, ConfigProblems problems)
    {
        if (value is null || (value.Kind == JsonValueKind.String && value.Text.Length == 0))
            return null;

        const NumberStyles Whole = NumberStyles.None;
        const NumberStyles Json = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        var seconds = 0m;
        var isWhole = value.Kind is JsonValueKind.String or JsonValueKind.Number
            && decimal.TryParse(value.Text, value.Kind == JsonValueKind.Number ? Json : Whole, CultureInfo.InvariantCulture, out seconds)
            && seconds >= 0 && decimal.IsInteger(seconds);
        if (!isWhole)
        {
            problems.Error(value, $"{ConfigFields.Shown(value)} is not a number of seconds. Write a whole number from {MinScanInterval.TotalSeconds}, or 0 for no periodic scan.");
            return null;
        }

        if (seconds == 0)
            return null;

        // Compared as numbers first: a TimeSpan cannot hold every number of seconds.
        var bounded = Math.Clamp(seconds, (decimal)MinScanInterval.TotalSeconds, (decimal)MaxScanInterval.TotalSeconds);
        if (bounded != seconds)
            problems.Warn(value, $"{ConfigFields.Shown(value)} is taken as {bounded} seconds; allowed are {MinScanInterval.TotalSeconds} to {MaxScanInterval.TotalSeconds}, or 0 for no periodic scan.");
        return TimeSpan.FromSeconds((long)bounded);
    }

    private static SchedulerStrategy ReadStrategy(ConfigFields fields)
    {
        var text = fields.Text("schedulerStrategy", out _);

        // 0.9.0 shipped "spradout". Carina's scheduler alone defaulted to binpack; here all parts agree.
        if (text is null || Is("spreadout") || Is("spradout"))
            return SchedulerStrategy.Spreadout;
        if (!Is("binpack"))
            fields.Error("schedulerStrategy", $"{ConfigText.Quote(text)} is no strategy. Write \"spreadout\" or \"binpack\".");
        return SchedulerStrategy.Binpack;

        bool Is(string name) => string.Equals(text, name, StringComparison.OrdinalIgnoreCase);
    }
}
