using System.Globalization;

namespace Carina.Grains.Placement.Pods;

/// <summary>What the volume of one claim takes on its node: one part, or two when it has a cache.</summary>
public sealed record ClaimDemand
{
    /// <summary>The claim's name, for messages.</summary>
    public required string Claim { get; init; }

    public required IReadOnlyList<PoolDemand> Parts { get; init; }

    /// <summary>The node whose ledger counts it already, while its claim is not bound yet; empty when there is none.</summary>
    public string PromisedAt { get; init; } = "";

    /// <summary>Why no node can make it: the StorageClass contradicts itself. Empty when it does not.</summary>
    public string Problem { get; init; } = "";

    /// <summary>Reads a StorageClass, keys of all releases of Carina.</summary>
    /// <param name="claim">The claim's name.</param>
    /// <param name="parameters">Parameters of its StorageClass. Keys that mean nothing for capacity are passed over here:
    /// whether they are known is for CreateVolume to say.</param>
    /// <param name="bytes">Bytes that the claim asks for.</param>
    public static ClaimDemand Read(string claim, IReadOnlyDictionary<string, string> parameters, long bytes)
    {
        var group = Either(parameters, CarinaNames.DiskGroup, CarinaNames.LegacyDiskGroup, out var problem);
        var backend = Either(parameters, CarinaNames.BackendDiskGroup, CarinaNames.LegacyBackendDiskGroup, out var second);
        var cache = Either(parameters, CarinaNames.CacheDiskGroup, CarinaNames.LegacyCacheDiskGroup, out var third);
        var exclusive = bool.TryParse(Value(parameters, CarinaNames.ExclusiveRawDisk), out var alone) && alone;
        var ratioText = Value(parameters, CarinaNames.CacheDiskRatio);
        var main = new PoolDemand(group.Length > 0 ? group : backend, bytes, exclusive);
        problem ??= second ?? third;
        if (ratioText is "" or "0")
        {
            return new() { Claim = claim, Parts = [main], Problem = problem ?? "" };
        }

        if (!int.TryParse(ratioText, NumberStyles.None, CultureInfo.InvariantCulture, out var ratio) || ratio is < 1 or > 99)
        {
            problem ??= $"its StorageClass has a {CarinaNames.CacheDiskRatio} that is not a number from 0 to 99";
        }
        else if (cache.Length == 0)
        {
            problem ??= $"its StorageClass asks for a cache but names no {CarinaNames.CacheDiskGroup}";
        }

        // In this order the backend's group counts when both are named: disk-group-name has no meaning for cached volumes.
        main = main with { Group = backend.Length > 0 ? backend : group };
        return new()
        {
            Claim = claim,
            Parts = [main, new(cache, CacheBytes(bytes, ratio))],
            Problem = problem ?? "",
        };
    }

    private static long CacheBytes(long bytes, int ratio) => (long)((((Int128)bytes * ratio) + 99) / 100);

    private static string Either(
        IReadOnlyDictionary<string, string> parameters, string current, string legacy, out string? problem)
    {
        var (one, other) = (Value(parameters, current), Value(parameters, legacy));
        problem = one.Length > 0 && other.Length > 0 && !one.Equals(other, StringComparison.OrdinalIgnoreCase)
            ? $"its StorageClass names different groups with {current} and with its older spelling {legacy}"
            : null;
        return one.Length > 0 ? one : other;
    }

    private static string Value(IReadOnlyDictionary<string, string> parameters, string key) =>
        parameters.TryGetValue(key, out var value) ? value.Trim() : "";
}
