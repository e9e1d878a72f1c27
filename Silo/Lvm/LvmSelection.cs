namespace Carina.Silo.Lvm;

/// <summary>
/// Selection criteria (lvmreport(7), "Selection"): LVM evaluates them under the lock of the volume group, on the metadata
/// that the command then changes. What a command must be sure of is said here rather than looked up beforehand.
/// </summary>
internal static class LvmSelection
{
    /// <summary>
    /// No disk of the group is missing. Commands that remove volumes or change tags would otherwise go ahead and mark
    /// the disks that they do not see as lost for good.
    /// </summary>
    public const string Complete = "vg_missing_pv_count=0";

    /// <summary>Nobody has the volume's device open; also true when it is not active.</summary>
    public const string NotOpen = "lv_device_open!=open";

    /// <summary>No volume is in the thin pool.</summary>
    public const string NoThinVolumes = "thin_count=0";

    /// <summary>The volume has all of these tags.</summary>
    public static string HasTags(params IEnumerable<string> tags) => $"lv_tags={{{string.Join("&&", tags)}}}";

    /// <summary>The volume has this name.</summary>
    public static string IsNamed(string volume) => $"lv_name={volume}";

    public static string All(params IEnumerable<string> criteria) => string.Join("&&", criteria);

    public static string Any(params IEnumerable<string> criteria) => $"({string.Join("||", criteria.Select(c => $"({c})"))})";
}
