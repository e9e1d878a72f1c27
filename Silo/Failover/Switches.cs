using Carina.Grains;

namespace Carina.Silo.Failover;

/// <summary>The switch that opts in to failover, in annotations or parameters, in all its spellings.</summary>
internal static class Switches
{
    /// <summary>It is there, and is not <c>false</c>, as Carina reads it.</summary>
    public static bool IsOn(IEnumerable<KeyValuePair<string, string>>? map) => Find(map) is { } value && !IsFalse(value);

    /// <summary>It is there and says <c>false</c>: against whatever else says otherwise.</summary>
    public static bool IsOff(IEnumerable<KeyValuePair<string, string>>? map) => Find(map) is { } value && IsFalse(value);

    private static string? Find(IEnumerable<KeyValuePair<string, string>>? map)
    {
        var known = (map ?? []).Where(p => CarinaNames.AllowMigrationSpellings.Contains(p.Key)).ToList();
        return CarinaNames.AllowMigrationSpellings
            .Select(spelling => known.Where(p => p.Key == spelling).Select(p => p.Value ?? "").FirstOrDefault())
            .FirstOrDefault(value => !string.IsNullOrWhiteSpace(value));
    }

    private static bool IsFalse(string value) => value.Trim().Equals("false", StringComparison.OrdinalIgnoreCase);
}
