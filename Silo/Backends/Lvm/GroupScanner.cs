using Carina.Grains.Configuration;
using Carina.Silo.Lvm;

namespace Carina.Silo.Backends.Lvm;

/// <summary>A configured group as this node has it.</summary>
/// <param name="Group">The group.</param>
/// <param name="Volumes">Its volume group; null when there is none that can be used.</param>
/// <param name="Disks">Devices of the volume group.</param>
/// <param name="Logical">Logical volumes in it.</param>
/// <param name="Problem">What is wrong, for people; empty when nothing is.</param>
internal sealed record FoundGroup(
    DiskGroup Group, VgReport? Volumes, IReadOnlyList<PvReport> Disks, IReadOnlyList<LvReport> Logical, string Problem);

/// <summary>
/// Finds the volume groups of configured groups, and makes or extends them from blank disks. Takes nothing away: no
/// disk is removed from a group, no missing one given up, and nothing without our knowledge of its emptiness taken in.
/// </summary>
internal sealed partial class GroupScanner(
    LvmSession session, DevicePatterns allowed, IBlankDisks blankDisks, ILogger<GroupScanner> logger)
{
    /// <summary>Looks, makes what the configuration wants made, and looks again if it did.</summary>
    /// <param name="change">Called around each change of an existing volume group, with its pool's name.</param>
    public async Task<IReadOnlyList<FoundGroup>> ScanAsync(
        IReadOnlyList<DiskGroup> groups, Func<string, Func<Task>, Task> change, CancellationToken cancellationToken)
    {
        var (report, complaint) = await LookAsync(cancellationToken).ConfigureAwait(false);
        var candidates = (await blankDisks.FindAsync(cancellationToken).ConfigureAwait(false)).ToLookup(d => d.Group, StringComparer.Ordinal);
        var problems = new Dictionary<string, string>(StringComparer.Ordinal);
        var changed = false;
        foreach (var group in groups)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                changed |= await GrowAsync(group, report, complaint, [.. candidates[group.Name]], change).ConfigureAwait(false);
            }
            catch (LvmException exception)
            {
                // One group's trouble is not the others'.
                problems[group.Name] = exception.Message;
            }
        }

        if (changed)
            (report, complaint) = await LookAsync(cancellationToken).ConfigureAwait(false);

        return [.. groups.Select(group => Describe(group, report, complaint, [.. candidates[group.Name]], problems.GetValueOrDefault(group.Name, "")))];
    }

    /// <summary>Paths of the disks of the volume group with this uuid.</summary>
    public async Task<IReadOnlyList<string>> FindDisksAsync(string groupUuid, CancellationToken cancellationToken)
    {
        var (report, _) = await LookAsync(cancellationToken).ConfigureAwait(false);
        return PathsOf(report.Disks.Where(d => d.GroupUuid == groupUuid));
    }

    /// <summary>Paths of device nodes, of those disks that are there.</summary>
    public IReadOnlyList<string> PathsOf(IEnumerable<PvReport> disks) =>
        [.. disks.Where(d => !d.Attributes.Missing && d.Name.StartsWith('/')).Select(d => session.Configuration.DeviceOf(d.Name))];

    private async Task<(LvmReport Report, string Complaint)> LookAsync(CancellationToken cancellationToken)
    {
        if (allowed.Restrict)
            session.Configuration.SetDevices(allowed.AllowedDevices());

        var result = await session.RunAsync(LvmReport.Everything(), cancellationToken).ConfigureAwait(false);

        // A group that LVM cannot read does not hide the others; but then "not there" is not known of any.
        if (!result.Succeeded)
            LogIncomplete(logger, result.Complaint);

        return (result.Report, result.Succeeded ? "" : result.Complaint);
    }

    private async Task<bool> GrowAsync(
        DiskGroup group, LvmReport report, string complaint, IReadOnlyList<CandidateDisk> candidates, Func<string, Func<Task>, Task> change)
    {
        var blank = candidates.Where(d => d.Refusal.Length == 0).Select(d => session.Configuration.PathFor(d.Path)).ToList();
        if (Find(group, report) is not { } found)
            return complaint.Length == 0 && IsFree(group, report) && blank.Count > 0 && await MakeAsync(group, blank).ConfigureAwait(false);

        if (ProblemOf(found, group, report).Length > 0)
            return false;

        var changed = false;
        foreach (var disk in report.Disks.Where(d => d.GroupUuid == found.Uuid && HasGrown(d, found)))
        {
            await change(group.Name, () => RunAsync("pvresize", ["-qq", disk.Name])).ConfigureAwait(false);
            LogGrown(logger, found.Name, session.Configuration.DeviceOf(disk.Name));
            changed = true;
        }

        if (blank.Count > 0 && found.Attributes.Resizable)
        {
            await change(group.Name, () => RunAsync("vgextend", ["-qq", found.Name, .. blank])).ConfigureAwait(false);
            LogExtended(logger, found.Name, string.Join(", ", blank.Select(session.Configuration.DeviceOf)));
            changed = true;
        }

        return changed;
    }

    // -qq answers every question with no, such as whether to overwrite a signature that appeared meanwhile.
    private async Task<bool> MakeAsync(DiskGroup group, List<string> disks)
    {
        // LVM refuses a name that is a directory in /dev. Where nodes share a kernel it may be their neighbour's group,
        // so LVM is shown another directory; without the kernel's mapper, which it needs for nothing here.
        string[] elsewhere = allowed.Restrict
            ? ["--driverloaded", "n", "--config", $"devices/dir={session.Configuration.SystemDirectory}"]
            : [];
        await RunAsync("vgcreate", ["-qq", .. elsewhere, "--addtag", LvmIdentity.OwnerTag, group.Name, .. disks]).ConfigureAwait(false);
        LogMade(logger, group.Name, string.Join(", ", disks.Select(session.Configuration.DeviceOf)));
        return true;
    }

    private async Task RunAsync(string command, IEnumerable<string> arguments) =>
        (await session.RunAsync(new LvmCommand(command, arguments), CancellationToken.None).ConfigureAwait(false)).EnsureSuccess();

    private static FoundGroup Describe(
        DiskGroup group, LvmReport report, string complaint, IReadOnlyList<CandidateDisk> candidates, string problem)
    {
        var found = Find(group, report);
        if (found is not null)
        {
            return new FoundGroup(
                group,
                found,
                [.. report.Disks.Where(d => d.GroupUuid == found.Uuid)],
                [.. report.Volumes.Where(v => v.GroupUuid == found.Uuid)],
                problem.Length > 0 ? problem : ProblemOf(found, group, report));
        }

        if (problem.Length == 0)
        {
            problem = !IsFree(group, report)
                ? $"There are several volume groups named '{group.Name}'; rename all but one (vgrename with the uuid)."
                : complaint.Length > 0
                    ? $"The volume group '{group.Name}' was not found, and LVM could not read everything: {complaint}"
                    : NothingFound(group, candidates);
        }

        return new FoundGroup(group, null, [], [], problem);
    }

    private static string NothingFound(DiskGroup group, IReadOnlyList<CandidateDisk> candidates) =>
        $"This node has no volume group '{group.Name}' and no blank disk for one"
        + (candidates.Count == 0
            ? "; no disk matches the group's patterns."
            : ": " + string.Join("; ", candidates.Take(20).Select(d => $"{d.Path}: {d.Refusal}")) + ".");

    // Carina up to 0.14 created the volume group in lower case, whatever the configuration said.
    private static VgReport? Find(DiskGroup group, LvmReport report) =>
        Named(report, group.Name) is [var exact] ? exact
        : Named(report, group.Name).Count == 0 && Named(report, group.Name.ToLowerInvariant()) is [var lower] ? lower
        : null;

    private static bool IsFree(DiskGroup group, LvmReport report) =>
        Named(report, group.Name).Count == 0 && Named(report, group.Name.ToLowerInvariant()).Count == 0;

    private static List<VgReport> Named(LvmReport report, string name) => [.. report.Groups.Where(g => g.Name == name)];

    private static string ProblemOf(VgReport found, DiskGroup group, LvmReport report)
    {
        var disks = report.Disks.Where(d => d.GroupUuid == found.Uuid).ToList();
        return found.MissingPvs > 0 || found.Attributes.Partial || disks.Exists(d => d.Attributes.Missing)
            ? $"Disks of volume group '{found.Name}' are missing ({disks.Count(d => d.Attributes.Missing)} of {disks.Count}). "
                + "Bring them back; nothing is removed from the group by itself, and nothing new is made in it."
            : disks.FirstOrDefault(d => d.Attributes.Use == PvUse.Duplicate) is { } duplicate
                ? $"The disk {duplicate.Name} of volume group '{found.Name}' is seen twice; exclude its copy in lvm.conf."
            : found.Attributes.Exported
                ? $"Volume group '{found.Name}' is exported; import it with vgimport."
            : found.Attributes.Writable != true
                ? $"Volume group '{found.Name}' is read-only."
            : found.Attributes.Sharing != VgSharing.Local
                ? $"Volume group '{found.Name}' is shared between hosts (group '{group.Name}' needs one of this node alone)."
            : "";
    }

    // By at least one extent that would fit behind those that are there.
    private static bool HasGrown(PvReport disk, VgReport group) =>
        !disk.Attributes.Missing && disk.DeviceBytes - disk.DataStartBytes - disk.SizeBytes >= group.ExtentBytes + MetadataAtEnd;

    // A second metadata area, where there is one, is at the end of the disk.
    private const long MetadataAtEnd = 1 << 20;

    [LoggerMessage(Level = LogLevel.Information, Message = "Made volume group {Group} of {Disks}")]
    private static partial void LogMade(ILogger logger, string group, string disks);

    [LoggerMessage(Level = LogLevel.Information, Message = "Extended volume group {Group} by {Disks}")]
    private static partial void LogExtended(ILogger logger, string group, string disks);

    [LoggerMessage(Level = LogLevel.Information, Message = "Volume group {Group} uses the growth of {Disk}")]
    private static partial void LogGrown(ILogger logger, string group, string disk);

    [LoggerMessage(Level = LogLevel.Warning, Message = "LVM could not read everything: {Complaint}")]
    private static partial void LogIncomplete(ILogger logger, string complaint);
}
