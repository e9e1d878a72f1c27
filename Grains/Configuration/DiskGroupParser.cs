using System.Text.Json;
using System.Text.RegularExpressions;

namespace Carina.Grains.Configuration;

/// <summary>Reads <c>diskSelector</c>: a list of objects (0.9.1 and later) or of patterns (0.9.0).</summary>
internal static partial class DiskGroupParser
{
    public const int MaxGroups = 256;

    /// <summary>Characters of the patterns of all groups: more take minutes to compile.</summary>
    public const int MaxPatternText = 1 << 16;

    /// <summary>A pool's name is the second part of the extended resource <c>carina.storage.io/NAME</c>.</summary>
    public const int MaxNameLength = 63;

    private static readonly string[] _fields = ["name", "re", "policy", "nodeLabel", "reserve", "minSize", "capacity"];

    /// <summary>The groups; those of an erroneous file are reported and not to be used.</summary>
    public static IReadOnlyList<DiskGroup> Read(JsonValue? selector, ConfigProblems problems)
    {
        if (selector is null)
            return [];

        if (selector.Kind != JsonValueKind.Array)
        {
            problems.Error(selector, $"Expected a list of groups, [{{\"name\": ..., \"re\": [...]}}], found {selector.KindName}.");
            return [];
        }

        if (selector.Children.Count == 0)
            return [];
        return selector.Children.TrueForAll(child => child.Kind == JsonValueKind.String)
            ? ReadPatternList(selector, problems)
            : ReadObjects(selector, problems);
    }

    [GeneratedRegex(@"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\z", RegexOptions.CultureInvariant)]
    private static partial Regex GroupName();

    /// <summary>A label key: an optional DNS prefix and a name (Kubernetes, "Labels and Selectors").</summary>
    [GeneratedRegex(@"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\z", RegexOptions.CultureInvariant)]
    private static partial Regex LabelKey();

    /// <summary>0.9.0: one list of patterns; what they select was sorted into two groups by the ROTA flag.</summary>
    private static List<DiskGroup> ReadPatternList(JsonValue selector, ConfigProblems problems)
    {
        var patterns = DiskGroupTargets.ReadPatterns(selector, problems);
        return
        [
            Group("ssd", rotational: false),
            Group("hdd", rotational: true),
        ];

        DiskGroup Group(string kind, bool rotational) => new()
        {
            Name = CarinaNames.LegacyGroupPrefix + kind,
            Policy = PoolPolicy.Lvm,
            Patterns = patterns,
            Rotational = rotational,
        };
    }

    private static List<DiskGroup> ReadObjects(JsonValue selector, ConfigProblems problems)
    {
        if (selector.Children.Count > MaxGroups)
            problems.Error(selector, $"There are {selector.Children.Count} groups; at most {MaxGroups} are allowed.");

        var groups = new List<DiskGroup>();
        var byName = new Dictionary<string, JsonValue>(StringComparer.OrdinalIgnoreCase);
        var patternText = 0;
        foreach (var item in selector.Children.Take(MaxGroups))
        {
            if (item.Kind != JsonValueKind.Object)
            {
                problems.Error(item, $"Expected a group, {{\"name\": ..., \"re\": [...]}}, found {item.KindName}. (A list of patterns alone is allowed, too, but not mixed with groups.)");
                continue;
            }

            var textBefore = patternText;
            patternText += item.Field("re")?.Children.Sum(pattern => pattern.Text.Length) ?? 0;
            if (textBefore <= MaxPatternText && patternText > MaxPatternText)
                problems.Error(item, $"All groups together have patterns of more than {MaxPatternText} characters. Shorten them.");
            if (patternText > MaxPatternText)
                continue;
            if (ReadGroup(item, problems) is not { } group)
                continue;
            if (!byName.TryAdd(group.Name, item))
                problems.Error(item.Field("name")!, $"{byName[group.Name].Path} has the name {ConfigText.Quote(group.Name)} already (capitals do not matter). Give each group its own name.");
            DiskGroupTargets.CheckOverlap(group, item, groups, problems);
            groups.Add(group);
        }

        return groups;
    }

    /// <summary>The group; null when its name or policy is wrong, which is reported.</summary>
    private static DiskGroup? ReadGroup(JsonValue item, ConfigProblems problems)
    {
        var fields = new ConfigFields(item, problems);
        fields.WarnOfUnknown(_fields);
        var name = ReadName(fields);
        var label = ReadNodeLabel(fields);
        if (ReadPolicy(fields) is not { } policy)
            return null;

        var takesDisks = policy is PoolPolicy.Lvm or PoolPolicy.Raw;
        var keepsReserve = policy is PoolPolicy.Lvm or PoolPolicy.File;
        var reserve = fields.Bytes("reserve");
        var minSize = fields.Bytes("minSize");
        var capacity = fields.Bytes("capacity");
        if (!keepsReserve && reserve is not null)
            fields.Error("reserve", "Only LVM and FILE pools keep a reserve. Leave it out.");
        if (!takesDisks && minSize is not null)
            fields.Error("minSize", "Only LVM and RAW pools take disks by their size. Leave it out.");
        if (policy != PoolPolicy.File && capacity is not null)
            fields.Error("capacity", "Only a FILE pool can be limited. Leave it out.");
        else if (capacity == 0)
            fields.Error("capacity", "A pool of no bytes can hold nothing. Leave it out for no limit.");

        var patterns = takesDisks ? DiskGroupTargets.ReadPatterns(item, "re", problems) : [];
        var directory = takesDisks ? "" : DiskGroupTargets.ReadDirectory(item, "re", problems);
        return name is null ? null : new DiskGroup
        {
            Name = name,
            Policy = policy,
            Patterns = patterns,
            Directory = directory,
            NodeLabel = label,
            MinDiskBytes = minSize ?? DiskGroup.DefaultMinDiskBytes,
            ReserveBytes = reserve ?? (keepsReserve ? DiskGroup.DefaultReserveBytes : 0),
            CapacityBytes = capacity ?? 0,
        };
    }

    private static string? ReadName(ConfigFields fields)
    {
        var name = fields.Text("name", out var isWrong);
        if (name is not null && name.Length <= MaxNameLength && GroupName().IsMatch(name))
            return name;

        var found = name is null ? "The group has no name." : $"{ConfigText.Quote(name)} cannot be a group's name.";
        if (!isWrong)
            fields.Error("name", $"{found} Write 1 to {MaxNameLength} letters, digits, '-', '_' and '.', beginning and ending with a letter or digit.");
        return null;
    }

    private static PoolPolicy? ReadPolicy(ConfigFields fields)
    {
        var text = fields.Text("policy", out var isWrong);
        if (isWrong)
            return null;

        switch (text?.ToUpperInvariant())
        {
            case null:
                fields.Warn("policy", "The group has no policy and is taken for LVM, as Carina did. Write it.");
                return PoolPolicy.Lvm;
            case "LVM": return PoolPolicy.Lvm;
            case "RAW": return PoolPolicy.Raw;
            case "HOST": return PoolPolicy.Host;
            case "FILE": return PoolPolicy.File;
            default:
                fields.Error("policy", $"{ConfigText.Quote(text)} is no policy. Write \"LVM\", \"RAW\", \"FILE\" or \"HOST\".");
                return null;
        }
    }

    private static string ReadNodeLabel(ConfigFields fields)
    {
        var label = fields.Text("nodeLabel", out _) ?? "";
        if (label.Length > 0 && !LabelKey().IsMatch(label))
            fields.Warn("nodeLabel", $"{ConfigText.Quote(label)} is not a label's key, so no node has it and the group applies nowhere. Write the key alone, such as \"kubernetes.io/hostname\".");
        return label;
    }
}
