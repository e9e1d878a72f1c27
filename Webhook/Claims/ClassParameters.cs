using System.Collections.Frozen;
using Carina.Grains;

namespace Carina.Webhook.Claims;

/// <summary>Parameters of a StorageClass, as all of Carina 0.9 to 0.14 spelled them.</summary>
public static class ClassParameters
{
    public const string BackendGroup = CarinaNames.BackendDiskGroup;
    public const string CacheGroup = CarinaNames.CacheDiskGroup;
    public const string CacheRatio = CarinaNames.CacheDiskRatio;
    public const string ExclusiveRawDisk = CarinaNames.ExclusiveRawDisk;

    /// <summary>No parameters.</summary>
    public static IReadOnlyDictionary<string, string> None { get; } = FrozenDictionary<string, string>.Empty;

    // Spellings up to Carina 0.9.1.
    private static readonly FrozenDictionary<string, string> _presentNames = new Dictionary<string, string>
    {
        [CarinaNames.LegacyDiskGroup] = CarinaNames.DiskGroup,
        [CarinaNames.LegacyBackendDiskGroup] = BackendGroup,
        [CarinaNames.LegacyCacheDiskGroup] = CacheGroup,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>The same parameters under their present names. Where both spellings are given, the present one counts.</summary>
    public static IReadOnlyDictionary<string, string> Normalise(IDictionary<string, string>? parameters)
    {
        if (parameters is null or { Count: 0 })
        {
            return None;
        }

        var normal = new Dictionary<string, string>(parameters.Count, StringComparer.Ordinal);
        foreach (var (key, value) in parameters)
        {
            if (!_presentNames.ContainsKey(key))
            {
                normal[key] = (value ?? "").Trim();
            }
        }

        foreach (var (old, present) in _presentNames)
        {
            if (parameters.TryGetValue(old, out var value) && normal.GetValueOrDefault(present, "").Length == 0)
            {
                normal[present] = (value ?? "").Trim();
            }
        }

        return normal;
    }
}
