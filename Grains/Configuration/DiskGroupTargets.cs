using System.Text.Json;
using System.Text.RegularExpressions;

namespace Carina.Grains.Configuration;

/// <summary>Reads what a group's <c>re</c> stands for: patterns of disks, or one directory.</summary>
internal static class DiskGroupTargets
{
    public const int MaxPatternsPerGroup = 256;
    public const int MaxPatternLength = 4096;

    /// <summary>Leaves room below PATH_MAX (4096) for the volumes' own names.</summary>
    public const int MaxDirectoryLength = 1024;

    /// <summary>Disks of all kinds: a pattern that finds each of them hardly means one.</summary>
    private static readonly string[] _unlikeDisks = ["/dev/sda", "/dev/vdb", "/dev/nvme0n1", "/dev/loop0", "/dev/mmcblk0"];

    /// <summary>Memory and kernel objects, not storage.</summary>
    private static readonly string[] _notStorage = ["/dev", "/proc", "/sys"];

    /// <summary>The patterns in a field of a group. No patterns would mean all disks (defect A11), so it is an error.</summary>
    public static IReadOnlyList<Regex> ReadPatterns(JsonValue group, string field, ConfigProblems problems)
    {
        if (group.Field(field) is { } list)
            return ReadPatterns(list, problems);

        problems.Error(group, "The group has no re. Write the patterns of its disks, such as [\"^/dev/sd[b-z]$\"].");
        return [];
    }

    /// <summary>The patterns in a list, several of them joined into one.</summary>
    public static IReadOnlyList<Regex> ReadPatterns(JsonValue list, ConfigProblems problems)
    {
        var items = Items(list, problems);
        if (items.Count > MaxPatternsPerGroup)
        {
            problems.Error(list, $"There are {items.Count} patterns; at most {MaxPatternsPerGroup} are allowed. Join them with |.");
            return [];
        }

        var sources = new List<(JsonValue Item, string Pattern)>(items.Count);
        foreach (var item in items)
        {
            if (ReadPattern(item, problems) is { } pattern)
                sources.Add((item, pattern));
        }

        var patterns = new List<Regex>();
        Build(sources, patterns, problems);
        if (_unlikeDisks.All(disk => patterns.Exists(pattern => pattern.IsMatch(disk))))
            WarnOfUnspecific(sources, problems);
        return patterns;
    }

    /// <summary>The directory in a field of a HOST or FILE group, without a slash at its end; empty when wrong.</summary>
    public static string ReadDirectory(JsonValue group, string field, ConfigProblems problems)
    {
        if (group.Field(field) is not { } list)
        {
            problems.Error(group, "The group has no re. Write its directory, such as [\"/opt/carina-hostpath\"].");
            return "";
        }

        var items = Items(list, problems);
        if (items.Count > 1)
            problems.Error(items[1], "A HOST or FILE group has exactly one directory, re[0]. Make another group for this one.");
        if (items.Count == 0 || ConfigFields.TextOf(items[0], problems) is not { } text)
            return "";

        var segments = text.Split('/', StringSplitOptions.RemoveEmptyEntries);
        var directory = "/" + string.Join('/', segments);
        var wrong = text switch
        {
            _ when !text.StartsWith('/') => "is not absolute",
            _ when text.Length > MaxDirectoryLength => $"is longer than {MaxDirectoryLength} characters",
            _ when text.Any(char.IsControl) => "contains control characters",
            _ when segments.Any(segment => segment is "." or "..") => "contains . or ..",
            _ when segments.Length == 0 => "is the root of the file system",
            _ when _notStorage.Any(root => Contains(root, directory)) => "is no storage",
            _ => null,
        };
        if (wrong is null)
            return directory;

        problems.Error(items[0], $"The directory {ConfigText.Quote(text)} {wrong}. Write an absolute path below / without . and .. and not in {string.Join(", ", _notStorage)}.");
        return "";
    }

    /// <summary>Two pools in one directory would promise the same bytes and find each other's volumes.</summary>
    public static void CheckOverlap(
        DiskGroup group, JsonValue item, IEnumerable<DiskGroup> others, ConfigProblems problems)
    {
        if (group.Directory.Length == 0)
            return;

        foreach (var other in others.Where(other => other.Directory.Length > 0))
        {
            if (!Contains(other.Directory, group.Directory) && !Contains(group.Directory, other.Directory))
                continue;

            var at = item.Field("re")!.Children[0];
            var overlap = $"The directory {ConfigText.Quote(group.Directory)} and {ConfigText.Quote(other.Directory)} of the group {other.Name} are the same or one within the other";
            if (group.NodeLabel.Length == 0 || other.NodeLabel.Length == 0 || group.NodeLabel == other.NodeLabel)
                problems.Error(at, $"{overlap}. Give each pool of a node its own.");
            else
                problems.Warn(at, $"{overlap}. No node may have both of the labels {group.NodeLabel} and {other.NodeLabel}.");
        }
    }

    private static bool Contains(string parent, string path) =>
        path.StartsWith(parent, StringComparison.Ordinal) && (path.Length == parent.Length || path[parent.Length] == '/');

    private static List<JsonValue> Items(JsonValue list, ConfigProblems problems)
    {
        if (list.Kind != JsonValueKind.Array)
            problems.Error(list, $"Expected a list of strings, found {list.KindName}.");
        else if (list.Children.Count == 0)
            problems.Error(list, "The list is empty, which does not mean all disks and no directory either. Name at least one.");
        return list.Kind == JsonValueKind.Array ? list.Children : [];
    }

    /// <summary>The pattern in .NET's syntax; null when it is wrong, which is reported.</summary>
    private static string? ReadPattern(JsonValue item, ConfigProblems problems)
    {
        if (ConfigFields.TextOf(item, problems) is not { } text)
            return null;

        if (text.Length is 0 or > MaxPatternLength)
        {
            problems.Error(item, $"A pattern has 1 to {MaxPatternLength} characters; this has {text.Length}. (An empty one would select all disks.)");
            return null;
        }

        var pattern = DevicePattern.Translate(text, out var problem);
        if (pattern is null)
            problems.Error(item, $"{ConfigText.Quote(text)} is no usable pattern: {problem}. Write a regular expression in RE2 syntax.");
        return pattern;
    }

    /// <summary>Compiles the patterns into as few as possible; one that is too large alone is reported.</summary>
    private static void Build(
        List<(JsonValue Item, string Pattern)> sources, List<Regex> patterns, ConfigProblems problems)
    {
        if (sources.Count == 0)
            return;

        if (DevicePattern.Build([.. sources.Select(source => source.Pattern)]) is { } built)
        {
            patterns.Add(built);
        }
        else if (sources.Count == 1)
        {
            problems.Error(sources[0].Item, $"{ConfigText.Quote(sources[0].Item.Text)} is too large a pattern. Repeat less with {{n,m}}.");
        }
        else
        {
            var half = sources.Count / 2;
            Build(sources[..half], patterns, problems);
            Build(sources[half..], patterns, problems);
        }
    }

    private static void WarnOfUnspecific(IEnumerable<(JsonValue Item, string Pattern)> sources, ConfigProblems problems)
    {
        foreach (var (item, source) in sources)
        {
            if (DevicePattern.Build([source]) is { } pattern && _unlikeDisks.All(pattern.IsMatch))
                problems.Warn(item, $"{ConfigText.Quote(item.Text)} selects disks of every kind, because it is searched for anywhere in the path. Anchor it, as in \"^/dev/sd[b-z]$\".");
        }
    }
}
