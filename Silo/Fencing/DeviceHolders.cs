using System.Globalization;
using Carina.Silo.Linux;

namespace Carina.Silo.Fencing;

/// <summary>Processes that can write to a block device without a file system in between (proc(5)).</summary>
internal sealed partial class DeviceHolders(ILogger<DeviceHolders> logger)
{
    private const int Sigkill = 9;

    // PROC_PID_INIT_INO of linux/proc_ns.h.
    private const string InitialNamespace = "pid:[4026531836]";

    // O_ACCMODE; O_RDONLY is 0.
    private const int AccessMode = 3;

    // They hold devices on behalf of pods, and do not write to them.
    private static readonly string[] _spared = ["kubelet", "containerd", "crio"];

    /// <summary>Whether all processes of the node can be seen: a container without the host's pid namespace sees its own.</summary>
    public bool SeesAll { get; init; } = new FileInfo("/proc/self/ns/pid").LinkTarget == InitialNamespace;

    /// <summary>A process, by number and the time of its start: numbers are used again.</summary>
    public readonly record struct Holder(int Id, string Started);

    public static bool IsAlive(Holder holder) => StartOf(holder.Id) == holder.Started;

    /// <summary>Ends every process that has the device open for writing, or mapped writable; never this one or the kubelet.</summary>
    /// <returns>Those that were killed. They are gone a moment later, unless they wait for a disk.</returns>
    public IReadOnlyList<Holder> KillWriters(DeviceNumber device)
    {
        var killed = new List<Holder>();
        foreach (var id in Processes())
        {
            if (id == 1 || id == Environment.ProcessId || StartOf(id) is not { } started || !Writes(id, device))
                continue;

            var name = ReadText($"/proc/{id}/comm").Trim();
            if (_spared.Contains(name, StringComparer.Ordinal))
                continue;

            // The number may have passed to another process while this one was looked at.
            if (StartOf(id) == started && Libc.Kill(id, Sigkill) == 0)
            {
                LogKilled(logger, id, name, device.ToString());
                killed.Add(new Holder(id, started));
            }
        }

        return killed;
    }

    /// <summary>Numbers of all processes.</summary>
    public static IEnumerable<int> Processes() => Directory.EnumerateDirectories("/proc")
        .Select(path => int.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : 0)
        .Where(id => id > 0);

    private static bool Writes(int id, DeviceNumber device) => HasOpen(id, device) || HasMapped(id, device);

    private static bool HasOpen(int id, DeviceNumber device) => Entries($"/proc/{id}/fd").Any(path =>
        IsDevice(path, device)
        && ReadText($"/proc/{id}/fdinfo/{Path.GetFileName(path)}").Split('\n')
            .FirstOrDefault(line => line.StartsWith("flags:", StringComparison.Ordinal)) is { } line
        && (Convert.ToInt32(line["flags:".Length..].Trim(), 8) & AccessMode) != 0);

    // "address perms …"; the name that a mapping has here need not be the one that it is reached by.
    private static bool HasMapped(int id, DeviceNumber device)
    {
        foreach (var line in ReadText($"/proc/{id}/maps").AsSpan().EnumerateLines())
        {
            var blank = line.IndexOf(' ');
            if (blank > 0 && line[(blank + 1)..] is [_, 'w', _, 's', ..] && IsDevice($"/proc/{id}/map_files/{line[..blank]}", device))
                return true;
        }

        return false;
    }

    // Sockets, pipes and the like have no path; opening only the name asks no file system for the file.
    private static bool IsDevice(string link, DeviceNumber device)
    {
        if (TargetOf(link) is not ['/', ..])
            return false;

        using var file = LinuxFile.TryOpen(null, link, OpenFlags.PathOnly, out _);
        return file is not null
            && LinuxFile.TryStatus(file, out _) is { Kind: FileKind.BlockDevice } status && status.SpecialDevice == device;
    }

    private static string? TargetOf(string link)
    {
        try
        {
            return new FileInfo(link).LinkTarget;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static IEnumerable<string> Entries(string directory)
    {
        try
        {
            return [.. Directory.EnumerateFileSystemEntries(directory)];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The process has ended.
            return [];
        }
    }

    // Field 22 of /proc/[pid]/stat, the 20th behind the name; a process that has ended and was not collected has no files.
    private static string? StartOf(int id)
    {
        var stat = ReadText($"/proc/{id}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length > 19 && fields[0] is not ("Z" or "X") ? fields[19] : null;
    }

    private static string ReadText(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Process {ProcessId} ({Name}) was killed: it could write to the device {Device} of a volume that is fenced")]
    private static partial void LogKilled(ILogger logger, int processId, string name, string device);
}
