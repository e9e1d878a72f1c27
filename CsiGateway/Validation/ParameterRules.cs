using Carina.Grains;
using Carina.Grains.Failover;

namespace Carina.CsiGateway.Validation;

/// <summary>
/// StorageClass parameters: the keys of Carina 0.9 to 0.14. A key that nobody knows is refused, because a misspelt one
/// would otherwise quietly put data on the wrong disks.
/// </summary>
internal static class ParameterRules
{
    private const string Field = "parameters";
    private const string Prefix = "carina.storage.io/";
    private const string NotYet = "is not yet supported by this release";

    // Written by the provisioner for everybody (--extra-create-metadata, the fstype it has already taken out).
    private const string KubernetesPrefix = "csi.storage.k8s.io/";

    private static readonly string[] _cacheKeys =
    [
        CarinaNames.BackendDiskGroup,
        CarinaNames.LegacyBackendDiskGroup,
        CarinaNames.CacheDiskGroup,
        CarinaNames.LegacyCacheDiskGroup,
        Prefix + "cache-policy",
        Prefix + "cache/block",
        Prefix + "cache/bucket",
    ];

    private static readonly HashSet<string> _known =
    [
        CarinaNames.DiskGroup,
        CarinaNames.LegacyDiskGroup,
        CarinaNames.AllowMigration,
        FailoverDataPolicy.Key,
        CarinaNames.HandOver,
        CarinaNames.ExclusiveRawDisk,
        CarinaNames.CacheDiskRatio,
        .. _cacheKeys,
    ];

    /// <summary>Checks all parameters and returns the pool they ask for; empty means any.</summary>
    public static string ReadPool(IReadOnlyDictionary<string, string> parameters)
    {
        TextRules.CheckMap(Field, parameters);
        foreach (var key in parameters.Keys)
        {
            if (!_known.Contains(key) && !key.StartsWith(KubernetesPrefix, StringComparison.Ordinal))
            {
                throw Refusal.Invalid(
                    Field, $"hold the unknown key {Refusal.Quote(key)}; known are {string.Join(", ", _known)}.");
            }
        }

        RefuseCache(parameters);
        CheckSwitch(parameters, CarinaNames.AllowMigration);
        if (Value(parameters, FailoverDataPolicy.Key) is { Length: > 0 } data && FailoverDataPolicy.Parse(data) is null)
        {
            throw Refusal.Invalid(Field, $"hold {FailoverDataPolicy.Key} with {Refusal.Quote(data)}; give {FailoverDataPolicy.Values}.");
        }

        CheckHandOver(parameters);
        if (CheckSwitch(parameters, CarinaNames.ExclusiveRawDisk))
        {
            throw Refusal.Invalid(Field, $"ask for a disk of its own with {CarinaNames.ExclusiveRawDisk}, which {NotYet}.");
        }

        return ReadGroup(parameters);
    }

    // A class for cached volumes whose cache is switched off still names where they go, by the backend's group.
    private static string ReadGroup(IReadOnlyDictionary<string, string> parameters) =>
        ReadGroup(parameters, CarinaNames.DiskGroup, CarinaNames.LegacyDiskGroup) is { Length: > 0 } group
            ? group
            : ReadGroup(parameters, CarinaNames.BackendDiskGroup, CarinaNames.LegacyBackendDiskGroup);

    private static string ReadGroup(IReadOnlyDictionary<string, string> parameters, string currentKey, string legacyKey)
    {
        var current = Value(parameters, currentKey);
        var legacy = Value(parameters, legacyKey);
        if (current.Length > 0 && legacy.Length > 0 && !current.Equals(legacy, StringComparison.OrdinalIgnoreCase))
        {
            throw Refusal.Invalid(
                Field,
                $"name two disk groups, {currentKey} and its older spelling {legacyKey}; keep one of them.");
        }

        var (key, group) = current.Length > 0 ? (currentKey, current) : (legacyKey, legacy);
        if (group.Length > TextRules.MaxStringBytes || !group.All(IsGroupCharacter) || group.StartsWith('-'))
        {
            throw Refusal.Invalid(
                Field, $"hold {key} with {Refusal.Quote(group)}, which cannot be the name of a disk group.");
        }

        // As given: which pool it means depends on the pools there are (Placement/PoolName).
        return group;
    }

    // What lvm(8) allows in names, and the slash of a raw group's disk.
    private static bool IsGroupCharacter(char c) => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '+' or '/';

    // A ratio of zero has always meant "no cache", whatever else is there.
    private static void RefuseCache(IReadOnlyDictionary<string, string> parameters)
    {
        var ratio = Value(parameters, CarinaNames.CacheDiskRatio);
        if (ratio == "0")
        {
            return;
        }

        var asking = ratio.Length > 0
            ? CarinaNames.CacheDiskRatio
            : _cacheKeys.FirstOrDefault(key => Value(parameters, key).Length > 0);
        if (asking is not null)
        {
            throw Refusal.Invalid(
                Field, $"ask for a cache with {asking}, which {NotYet}. Leave it out, or set {CarinaNames.CacheDiskRatio} to \"0\".");
        }
    }

    private static void CheckHandOver(IReadOnlyDictionary<string, string> parameters)
    {
        var value = Value(parameters, CarinaNames.HandOver);
        if (value.Length > 0 && !HandOverPolicy.TryParse(value, out _))
        {
            throw Refusal.Invalid(
                Field, $"hold {CarinaNames.HandOver} with {Refusal.Quote(value)}; give one of {string.Join(", ", HandOverPolicy.Values)}.");
        }
    }

    private static bool CheckSwitch(IReadOnlyDictionary<string, string> parameters, string key)
    {
        var value = Value(parameters, key);
        return value.Length == 0
            ? false
            : bool.TryParse(value, out var on)
                ? on
                : throw Refusal.Invalid(Field, $"hold {key} with {Refusal.Quote(value)}; give \"true\" or \"false\".");
    }

    private static string Value(IReadOnlyDictionary<string, string> parameters, string key) =>
        parameters.TryGetValue(key, out var value) ? value.Trim() : "";
}
