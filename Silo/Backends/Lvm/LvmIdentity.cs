using System.Globalization;
using Carina.Grains;
using Carina.Grains.Agents;
using Carina.Grains.Volumes;
using Carina.Silo.Lvm;

namespace Carina.Silo.Backends.Lvm;

/// <summary>
/// What makes a logical volume ours: its tags, written in the same metadata commit that makes it. A volume without them
/// is somebody else's, whatever its name.
/// </summary>
/// <param name="VolumeId">The volume handle, which is also the logical volume's name.</param>
/// <param name="Generation">The volume's generation.</param>
/// <param name="IsUnfinished">
/// Its creation has not ended: it may still show what its disk held before, and was never handed out.
/// </param>
internal sealed record LvmIdentity(string VolumeId, long Generation, bool IsUnfinished)
{
    /// <summary>Tag of everything of ours, volume groups too.</summary>
    public const string OwnerTag = "carina";

    /// <summary>Tag of a volume from the first to the last step of its creation.</summary>
    public const string UnfinishedTag = "carina.new";

    /// <summary>Tag of a volume that a file system was made on.</summary>
    public const string FormattedTag = "carina.formatted";

    /// <summary>Prefix of the tag of a thin pool that belongs to one volume, which is named behind it.</summary>
    public const string ThinPoolTag = "carina.pool-of=";

    private const string VolumeTag = "carina.volume=";
    private const string GenerationTag = "carina.generation=";

    /// <summary>The tags of a finished volume.</summary>
    public static string[] TagsOf(DiskVolumeKey key) =>
    [
        OwnerTag,
        VolumeTag + key.VolumeId,
        GenerationTag + key.Generation.ToString(CultureInfo.InvariantCulture),
    ];

    /// <summary>Whose volume this is; null when it is not provably ours.</summary>
    public static LvmIdentity? Of(LvReport volume)
    {
        var ids = Values(volume, VolumeTag);
        var generations = Values(volume, GenerationTag);
        return volume.Tags.Contains(OwnerTag)
            && ids.Count == 1
            && ids[0] == volume.Name
            && generations.Count == 1
            && long.TryParse(generations[0], NumberStyles.None, CultureInfo.InvariantCulture, out var generation)
            ? new LvmIdentity(ids[0], generation, volume.Tags.Contains(UnfinishedTag))
            : null;
    }

    /// <summary>
    /// Whether a volume is what Carina up to 0.14 made: named as volumes are, linear or in a thin pool of its own, and
    /// without any tag of ours. So are volumes of others; only a record can tell.
    /// </summary>
    public static bool MayBeLegacy(LvReport volume) =>
        VolumeIds.IsWellFormed(volume.Name)
        && !volume.Tags.Any(t => t == OwnerTag || t.StartsWith(OwnerTag + ".", StringComparison.Ordinal))
        && (volume.Attributes.Type == LvType.Plain
            || (volume.Attributes.Type == LvType.ThinVolume && volume.ThinPool == LegacyThinPool(volume.Name)));

    /// <summary>The thin pool that Carina up to 0.10 made for a volume.</summary>
    public static string LegacyThinPool(string volumeId) => "thin-" + volumeId[CarinaNames.VolumePrefix.Length..];

    /// <summary>The volume that a thin pool belongs to; null when it is not provably ours.</summary>
    public static string? VolumeOfThinPool(LvReport pool) =>
        pool.Attributes.Type == LvType.ThinPool && pool.Tags.Contains(OwnerTag) && Values(pool, ThinPoolTag) is [var volume]
        && pool.Name == LegacyThinPool(volume)
            ? volume
            : null;

    private static List<string> Values(LvReport volume, string prefix) =>
        [.. volume.Tags.Where(t => t.StartsWith(prefix, StringComparison.Ordinal)).Select(t => t[prefix.Length..])];
}
