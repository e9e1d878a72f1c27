using System.Globalization;
using Carina.Grains.Agents;
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

    private static List<string> Values(LvReport volume, string prefix) =>
        [.. volume.Tags.Where(t => t.StartsWith(prefix, StringComparison.Ordinal)).Select(t => t[prefix.Length..])];
}
