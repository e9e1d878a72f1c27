namespace Carina.Grains.Placement;

/// <summary>
/// What a StorageClass means by a group: its name in any case, or, as up to Carina 0.9.1, its name without the prefix
/// that all groups had then (<c>ssd</c> for <c>carina-vg-ssd</c>). A group of exactly that name comes first.
/// </summary>
public static class PoolName
{
    /// <summary>The pool that is meant among those that exist; what was asked for when none is.</summary>
    public static string Resolve(string asked, IEnumerable<string> existing)
    {
        if (asked.Length == 0)
        {
            return asked;
        }

        var names = existing.ToList();
        return names.Find(n => n == asked)
            ?? names.Find(n => n.Equals(asked, StringComparison.OrdinalIgnoreCase))
            ?? names.Find(n => n.Equals(CarinaNames.LegacyGroupPrefix + asked, StringComparison.OrdinalIgnoreCase))
            ?? asked;
    }

    /// <summary>Whether a volume in this pool is what was asked for.</summary>
    public static bool Means(string asked, string pool) => asked.Length == 0 || Resolve(asked, [pool]) == pool;
}
