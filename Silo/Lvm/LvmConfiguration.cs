using System.Text;

namespace Carina.Silo.Lvm;

/// <summary>
/// The private LVM_SYSTEM_DIR of a session. It leads to the host's lvm.conf, its profiles and its devices file, so that
/// filters, system ID and whatever else the operator set hold here too; the few settings that a session needs are laid
/// over them at the end of lvmlocal.conf, which overrides lvm.conf (lvm.conf(5)); the last of two equal settings counts.
/// </summary>
internal sealed class LvmConfiguration
{
    private const string OverridesFile = "lvmlocal.conf";

    // What every session needs to be understood, and to be fast where that costs nothing.
    private static readonly string[] _always =
    [
        // One JSON document after each command, ended by the command's own status.
        "log/report_command_log=1",
        "log/command_log_selection=\"all\"",
        "report/output_format=\"json\"",
        "report/compact_output=0",
        "report/compact_output_cols=\"\"",
        "report/list_item_separator=\",\"",
        "report/mark_hidden_devices=1",
        "report/binary_values_as_numeric=0",

        // A file per change below /etc/lvm, which in a container is nobody's. The metadata on the disks is the truth.
        "backup/backup=0",
        "backup/archive=0",

        // Linear volumes have nothing to monitor, and no daemon is to be started from here.
        "activation/monitoring=0",
        "global/use_lvmpolld=0",
        "global/notify_dbus=0",
        "global/event_activation=0",

        // Reserving memory costs 100 ms and more at every resize of an active volume. It protects hosts whose swap or
        // root is on the volume being resized, which ours never are.
        "activation/reserved_memory=0",
        "activation/reserved_stack=0",
        "global/wait_for_locks=1",
        "devices/hints=\"none\"",
        "shell/history_size=0",
    ];

    // Where nobody answers udev's questions.
    private static readonly string[] _withoutUdev =
    [
        "devices/obtain_device_list_from_udev=0",
        "devices/external_device_info_source=\"none\"",
        "activation/udev_sync=0",
        "activation/udev_rules=0",
    ];

    private readonly Lock _links = new();
    private readonly string _hostDirectory;
    private readonly bool _restricted;

    /// <param name="directory">Directory of this session's own; made and filled by <see cref="Write"/>.</param>
    /// <param name="restricted">
    /// Whether the session sees only the devices given to <see cref="SetDevices"/>. Saves looking at everything below
    /// /dev in every command, and keeps nodes that share a kernel apart. The devices must have been chosen in accordance
    /// with the host's filters.
    /// </param>
    public LvmConfiguration(string directory, bool restricted)
        : this(directory, restricted, Environment.GetEnvironmentVariable("LVM_SYSTEM_DIR") ?? "/etc/lvm")
    {
    }

    internal LvmConfiguration(string directory, bool restricted, string hostDirectory)
    {
        SystemDirectory = directory;
        _restricted = restricted;
        _hostDirectory = hostDirectory;
    }

    /// <summary>Whether udev's daemon runs here, as libudev decides it.</summary>
    public static bool UdevRuns => File.Exists("/run/udev/control");

    /// <summary>What LVM_SYSTEM_DIR is to be.</summary>
    public string SystemDirectory { get; }

    /// <summary>Where the links to a restricted session's devices are.</summary>
    public string DeviceDirectory => Path.Combine(SystemDirectory, "dev");

    /// <summary>Makes the directory; what is there already is replaced.</summary>
    public void Write()
    {
        Directory.CreateDirectory(DeviceDirectory);
        if (_hostDirectory.Length > 0 && Directory.Exists(_hostDirectory))
        {
            foreach (var entry in Directory.EnumerateFileSystemEntries(_hostDirectory))
            {
                // Backups and archives stay the host's own.
                if (Path.GetFileName(entry) is not (OverridesFile or "backup" or "archive" or "cache" or "dev"))
                    Link(Path.Combine(SystemDirectory, Path.GetFileName(entry)), entry);
            }
        }

        var overrides = Path.Combine(SystemDirectory, OverridesFile);
        File.WriteAllText(overrides + ".new", Overrides());
        File.Move(overrides + ".new", overrides, overwrite: true);
    }

    /// <summary>Makes these the devices of a restricted session; a session that runs sees them with its next command.</summary>
    /// <param name="devices">Paths of device nodes; one that cannot be given to LVM is left out.</param>
    /// <returns>Whether they are others than before.</returns>
    public bool SetDevices(IEnumerable<string> devices)
    {
        var links = devices.Where(LvmCommand.IsSafe).Distinct(StringComparer.Ordinal).ToDictionary(PathFor, StringComparer.Ordinal);
        var changed = false;
        lock (_links)
        {
            Directory.CreateDirectory(DeviceDirectory);
            foreach (var (link, device) in links)
                changed |= Link(link, device);

            foreach (var link in Directory.EnumerateFileSystemEntries(DeviceDirectory).Where(l => !links.ContainsKey(l)))
            {
                File.Delete(link);
                changed = true;
            }
        }

        return changed;
    }

    /// <summary>The path by which the session knows a device.</summary>
    public string PathFor(string device) => _restricted
        ? Path.Combine(DeviceDirectory, device.Replace("/dev/", "", StringComparison.Ordinal).Replace('/', '!'))
        : device;

    /// <summary>The device that the session knows by this path.</summary>
    public string DeviceOf(string path) => _restricted ? new FileInfo(path).LinkTarget ?? path : path;

    /// <summary>Takes the directory away.</summary>
    public void Remove()
    {
        if (Directory.Exists(SystemDirectory))
            Directory.Delete(SystemDirectory, recursive: true);
    }

    // A link's name says where it leads, so one that has to be replaced is rare.
    private static bool Link(string link, string target)
    {
        if (new FileInfo(link).LinkTarget == target)
            return false;

        File.Delete(link);
        File.CreateSymbolicLink(link, target);
        return true;
    }

    private string Overrides()
    {
        var text = new StringBuilder();
        var hosts = Path.Combine(_hostDirectory, OverridesFile);
        if (_hostDirectory.Length > 0 && File.Exists(hosts))
            text.Append(File.ReadAllText(hosts)).Append('\n');

        text.Append("# From here on written by Carina, whenever it starts LVM.\n");
        text.AppendJoin('\n', _always).Append('\n');
        if (!UdevRuns || _restricted)
            text.AppendJoin('\n', _withoutUdev.Take(UdevRuns ? 2 : _withoutUdev.Length)).Append('\n');

        if (_restricted)
        {
            text.Append(
                $"""
                devices/scan=["{DeviceDirectory}"]
                devices/global_filter=["a|^{DeviceDirectory}/|","r|.*|"]
                devices/filter=["a|.*|"]
                devices/use_devicesfile=0
                devices/sysfs_scan=0
                devices/multipath_component_detection=0
                devices/md_component_detection=0
                devices/fw_raid_component_detection=0

                """);
        }

        return text.ToString();
    }
}
