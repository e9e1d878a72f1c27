using System.Globalization;
using System.Text.Json.Nodes;

namespace Carina.Silo.Lvm;

/// <summary>A volume group (vgs(8)); sizes in bytes.</summary>
internal sealed record VgReport(
    string Name, string Uuid, VgAttributes Attributes, long SizeBytes, long FreeBytes, long ExtentBytes,
    int MissingPvs, IReadOnlyList<string> Tags);

/// <summary>A physical volume (pvs(8)); sizes in bytes.</summary>
/// <param name="Name">Path of its device; <c>[unknown]</c> while it is missing.</param>
/// <param name="GroupName">The volume group that it belongs to; empty when to none.</param>
/// <param name="SizeBytes">What the volume group has of it.</param>
/// <param name="FreeBytes">Unallocated part of that.</param>
/// <param name="DeviceBytes">Size of the device; 0 while it is missing.</param>
/// <param name="DataStartBytes">Where on the device its first extent begins.</param>
/// <param name="Format">Of its metadata: <c>lvm2</c>.</param>
internal sealed record PvReport(
    string Name, string Uuid, string GroupName, string GroupUuid, PvAttributes Attributes, long SizeBytes, long FreeBytes,
    long DeviceBytes, long DataStartBytes, string Format);

/// <summary>A logical volume (lvs(8)); sizes in bytes.</summary>
/// <param name="GroupMissesDisks">Whether disks of its volume group were missing when this was reported.</param>
/// <param name="ThinPool">Name of the thin pool that it is in; empty when in none.</param>
internal sealed record LvReport(
    string Name, string Uuid, string GroupName, string GroupUuid, LvAttributes Attributes, long SizeBytes,
    IReadOnlyList<string> Tags, bool GroupMissesDisks, string ThinPool);

/// <summary>A part of a logical volume that lies on one physical volume (lvs(8) --segments); sizes in bytes.</summary>
/// <param name="Type">How it lies there: <c>linear</c>.</param>
/// <param name="StartBytes">Where in the logical volume it begins.</param>
/// <param name="Devices">Path and first extent of each physical volume: <c>/dev/sdb(42)</c>.</param>
internal sealed record SegmentReport(string Type, long StartBytes, long SizeBytes, IReadOnlyList<string> Devices);

/// <summary>
/// What vgs, pvs, lvs or fullreport reported, as typed records. Only the columns in <see cref="VgColumns"/>,
/// <see cref="PvColumns"/> and <see cref="LvColumns"/> are read, and all of them must be there.
/// </summary>
internal sealed record LvmReport(IReadOnlyList<VgReport> Groups, IReadOnlyList<PvReport> Disks, IReadOnlyList<LvReport> Volumes)
{
    public const string VgColumns =
        "vg_name,vg_uuid,vg_attr,vg_size,vg_free,vg_extent_size,vg_missing_pv_count,vg_tags";

    public const string PvColumns =
        "pv_name,pv_uuid,vg_name,vg_uuid,pv_attr,pv_size,pv_free,dev_size,pe_start,pv_fmt";

    public const string LvColumns =
        "lv_name,lv_uuid,vg_name,vg_uuid,lv_attr,lv_size,lv_tags,vg_missing_pv_count,pool_lv";

    public const string SegmentColumns = "lv_name,segtype,seg_start,seg_size,devices";

    /// <summary>Segments of logical volumes; what <see cref="OfSegments"/> asked for.</summary>
    public IReadOnlyList<SegmentReport> Segments { get; init; } = [];

    /// <summary>Where on which disks a logical volume lies.</summary>
    public static LvmCommand OfSegments(string volume) =>
        new("lvs", "--segments", "--units", "b", "--nosuffix", "-o", SegmentColumns, volume);

    /// <summary>Volume groups with what is in them, each group as it was at one instant.</summary>
    /// <param name="group">The group to look at; all, and the physical volumes of none, when it is null.</param>
    public static LvmCommand Everything(string? group = null) => new(
        "fullreport",
        [
            "--units", "b", "--nosuffix",
            "--configreport", "vg", "-o", VgColumns,
            "--configreport", "pv", "-o", PvColumns,
            "--configreport", "lv", "-o", LvColumns,
            "--configreport", "pvseg", "-o", "pvseg_start",
            "--configreport", "seg", "-o", "seg_start",
            .. group is null ? Array.Empty<string>() : [group],
        ]);

    /// <summary>Options of an lvs whose report can be read.</summary>
    public static IReadOnlyList<string> VolumeOptions { get; } = ["--units", "b", "--nosuffix", "-o", LvColumns];

    /// <summary>Reads the "report" of a JSON document.</summary>
    /// <exception cref="FormatException">It lacks columns or holds what they cannot hold.</exception>
    public static LvmReport Read(JsonArray report)
    {
        IEnumerable<JsonNode> Rows(string key) =>
            report.SelectMany(part => part?[key] as JsonArray ?? []).Select(row => row!);

        return new LvmReport(
            [.. Rows("vg").Where(row => row["vg_attr"] is not null).Select(ReadGroup)],
            [.. Rows("pv").Where(row => row["pv_attr"] is not null).Select(ReadDisk)],
            [.. Rows("lv").Where(row => row["lv_attr"] is not null).Select(ReadVolume)])
        {
            Segments = [.. Rows("seg").Where(row => row["segtype"] is not null).Select(row => new SegmentReport(
                Text(row, "segtype"), Bytes(row, "seg_start"), Bytes(row, "seg_size"), List(row, "devices")))],
        };
    }

    private static VgReport ReadGroup(JsonNode row) => new(
        Text(row, "vg_name"), Text(row, "vg_uuid"), VgAttributes.Parse(Text(row, "vg_attr")), Bytes(row, "vg_size"),
        Bytes(row, "vg_free"), Bytes(row, "vg_extent_size"), (int)Bytes(row, "vg_missing_pv_count"), List(row, "vg_tags"));

    private static PvReport ReadDisk(JsonNode row) => new(
        Text(row, "pv_name"), Text(row, "pv_uuid"), Text(row, "vg_name"), Text(row, "vg_uuid"),
        PvAttributes.Parse(Text(row, "pv_attr")), Bytes(row, "pv_size"), Bytes(row, "pv_free"), Bytes(row, "dev_size"),
        Bytes(row, "pe_start"), Text(row, "pv_fmt"));

    private static LvReport ReadVolume(JsonNode row) => new(
        Text(row, "lv_name"), Text(row, "lv_uuid"), Text(row, "vg_name"), Text(row, "vg_uuid"),
        LvAttributes.Parse(Text(row, "lv_attr")), Bytes(row, "lv_size"), List(row, "lv_tags"),
        Bytes(row, "vg_missing_pv_count") > 0, Text(row, "pool_lv"));

    private static string Text(JsonNode row, string column) =>
        row[column]?.GetValue<string>() ?? throw new FormatException($"the column {column} is missing");

    // Older versions print a blank behind 0.
    private static long Bytes(JsonNode row, string column) =>
        long.TryParse(Text(row, column).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var bytes)
            ? bytes
            : throw new FormatException($"the column {column} holds '{Text(row, column)}' instead of a number");

    private static string[] List(JsonNode row, string column) =>
        Text(row, column).Split(',', StringSplitOptions.RemoveEmptyEntries);
}
