namespace Carina.Grains;

/// <summary>
/// Reads <see cref="CarinaNames.AllowMigration"/> where users set it: annotations of a pod, parameters of a StorageClass.
/// </summary>
public static class FailoverSwitch
{
    /// <summary>Somebody asked for failover.</summary>
    public static bool IsOn(IEnumerable<KeyValuePair<string, string>>? settings) => Find(settings) is { } value && !IsFalse(value);

    /// <summary>Somebody asked for none; not the same as saying nothing.</summary>
    public static bool IsOff(IEnumerable<KeyValuePair<string, string>>? settings) => Find(settings) is { } value && IsFalse(value);

    // Up to 0.14 the mere presence of the key counted; "false" is the one value that nobody can have meant as yes.
    private static bool IsFalse(string value) => string.Equals(value, "false", StringComparison.OrdinalIgnoreCase);

    /// <summary>The value of the first spelling that has one.</summary>
    private static string? Find(IEnumerable<KeyValuePair<string, string>>? settings)
    {
        if (settings is null)
        {
            return null;
        }

        var given = settings.Where(s => !string.IsNullOrWhiteSpace(s.Value)).ToList();
        return CarinaNames.AllowMigrationSpellings
            .SelectMany(spelling => given.Where(s => s.Key == spelling))
            .Select(s => s.Value.Trim())
            .FirstOrDefault();
    }
}
