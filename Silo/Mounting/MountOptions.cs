using Carina.Grains.Errors;

namespace Carina.Silo.Mounting;

/// <summary>Mount options as mount(8) takes them, split into what mount(2) takes: flags and data.</summary>
/// <param name="Flags">Bits of mount(2).</param>
/// <param name="Data">Options that the file system itself understands.</param>
/// <param name="IsWritable">Whether <c>rw</c> was asked for in so many words.</param>
internal sealed record MountOptions(ulong Flags, IReadOnlyList<string> Data, bool IsWritable)
{
    public const ulong ReadOnly = 1;
    private const ulong NoSuid = 2;
    private const ulong NoDev = 4;
    private const ulong NoExec = 8;
    private const ulong Synchronous = 16;
    private const ulong DirectorySynchronous = 128;
    private const ulong NoAtime = 1 << 10;
    private const ulong NoDirectoryAtime = 1 << 11;
    private const ulong RelativeAtime = 1 << 21;
    private const ulong StrictAtime = 1 << 24;
    private const ulong LazyTime = 1 << 25;

    /// <summary>Flags that take something away from a mount: read-only, nosuid, nodev, noexec.</summary>
    public const ulong Restrictions = ReadOnly | NoSuid | NoDev | NoExec;

    // What mountinfo shows among the options of one mount.
    private static readonly (string Name, ulong Flag)[] _perMount =
    [
        ("ro", ReadOnly), ("nosuid", NoSuid), ("nodev", NoDev), ("noexec", NoExec),
        ("noatime", NoAtime), ("nodiratime", NoDirectoryAtime), ("relatime", RelativeAtime),
    ];

    // Option, flags it sets, flags it clears (mount(8), "Filesystem-independent mount options").
    private static readonly Dictionary<string, (ulong Set, ulong Clear)> _known = new(StringComparer.Ordinal)
    {
        ["defaults"] = (0, 0),
        ["ro"] = (ReadOnly, 0),
        ["rw"] = (0, ReadOnly),
        ["nosuid"] = (NoSuid, 0),
        ["suid"] = (0, NoSuid),
        ["nodev"] = (NoDev, 0),
        ["dev"] = (0, NoDev),
        ["noexec"] = (NoExec, 0),
        ["exec"] = (0, NoExec),
        ["sync"] = (Synchronous, 0),
        ["async"] = (0, Synchronous),
        ["dirsync"] = (DirectorySynchronous, 0),
        ["noatime"] = (NoAtime, StrictAtime | RelativeAtime),
        ["atime"] = (0, NoAtime),
        ["nodiratime"] = (NoDirectoryAtime, 0),
        ["diratime"] = (0, NoDirectoryAtime),
        ["relatime"] = (RelativeAtime, StrictAtime | NoAtime),
        ["norelatime"] = (0, RelativeAtime),
        ["strictatime"] = (StrictAtime, RelativeAtime | NoAtime),
        ["nostrictatime"] = (0, StrictAtime),
        ["lazytime"] = (LazyTime, 0),
        ["nolazytime"] = (0, LazyTime),
    };

    // These would make another kind of mount, or another device, than the volume's.
    private static readonly HashSet<string> _refused = new(StringComparer.Ordinal)
    {
        "bind", "rbind", "move", "remount", "loop", "offset", "sizelimit", "shared", "rshared", "slave", "rslave",
        "private", "rprivate", "unbindable", "runbindable", "user", "users", "owner", "group", "logdev", "rtdev", "device", "journal_dev", "journal_path",
    };

    public bool IsReadOnly => (Flags & ReadOnly) != 0;

    /// <summary>The flags that one mount of a file system can have on its own, also when it is bound elsewhere.</summary>
    public ulong PerMountFlags => _perMount.Aggregate(0UL, (sum, flag) => sum | (Flags & flag.Flag));

    /// <exception cref="StorageException">InvalidArgument for an option that cannot be passed on.</exception>
    public static MountOptions Parse(IEnumerable<string> options)
    {
        var flags = 0UL;
        var data = new List<string>();
        var writable = false;
        foreach (var option in options)
        {
            Validate(option);
            if (_known.TryGetValue(option, out var effect))
            {
                flags = (flags & ~effect.Clear) | effect.Set;
                writable = option == "rw" || (writable && option != "ro");
            }
            else if (!option.StartsWith("x-", StringComparison.Ordinal))
            {
                data.Add(option);
            }
        }

        return new MountOptions(flags, data, writable);
    }

    /// <summary>The per-mount flags of an existing mount, for a bind of it that keeps them.</summary>
    public static ulong FlagsOf(MountEntry entry)
    {
        var flags = _perMount.Where(flag => entry.Options.Contains(flag.Name, StringComparer.Ordinal))
            .Aggregate(0UL, (sum, flag) => sum | flag.Flag);
        return (flags & (NoAtime | RelativeAtime)) == 0 ? flags | StrictAtime : flags;
    }

    /// <summary>
    /// What of these options an existing mount contradicts; null when it agrees. The kernel does not show options of
    /// the file system that are at their default, so only what it shows to be otherwise counts.
    /// </summary>
    public string? FindConflict(MountEntry entry)
    {
        var wanted = PerMountFlags;
        if ((Flags & (NoAtime | StrictAtime)) == 0)
            wanted |= RelativeAtime;

        foreach (var (name, flag) in _perMount)
        {
            var has = entry.Options.Contains(name, StringComparer.Ordinal);
            if (has != ((wanted & flag) != 0))
                return has ? $"it is mounted with '{name}'" : $"it is mounted without '{name}'";
        }

        return Data.FirstOrDefault(option => Contradicts(option, entry.SuperOptions)) is { } contradicted
            ? $"'{contradicted}' is not in force"
            : null;
    }

    private static bool Contradicts(string option, IReadOnlyList<string> inForce)
    {
        var equals = option.IndexOf('=', StringComparison.Ordinal);
        if (equals < 0)
        {
            var opposite = option.StartsWith("no", StringComparison.Ordinal) ? option[2..] : "no" + option;
            return inForce.Contains(opposite, StringComparer.Ordinal) && !inForce.Contains(option, StringComparer.Ordinal);
        }

        // The kernel shows quantities in units of its own.
        var shown = inForce.FirstOrDefault(other => other.StartsWith(option[..(equals + 1)], StringComparison.Ordinal));
        return shown is not null && shown != option && !option.Any(char.IsAsciiDigit) && !shown.Any(char.IsAsciiDigit);
    }

    private static void Validate(string option)
    {
        var key = option.Split('=')[0];
        var quoted = option.Split('"');

        // SELinux contexts hold commas, within quotes: context="system_u:object_r:t:s0:c1,c2".
        var outside = string.Concat(quoted.Where((_, i) => i % 2 == 0));
        if (key.Length == 0
            || quoted.Length % 2 == 0
            || outside.Contains(',', StringComparison.Ordinal)
            || option.Any(c => char.IsControl(c) || c == ' '))
        {
            throw new StorageException(
                StorageErrorCode.InvalidArgument,
                $"The mount option '{option}' is not valid: give each option as one entry, without spaces or control characters.");
        }

        if (_refused.Contains(key))
        {
            throw new StorageException(
                StorageErrorCode.InvalidArgument,
                $"The mount option '{key}' cannot be used for a volume; remove it from the StorageClass.");
        }
    }
}
