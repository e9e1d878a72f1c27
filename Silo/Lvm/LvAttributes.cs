namespace Carina.Silo.Lvm;

/// <summary>First character of lv_attr: what kind of volume it is.</summary>
internal enum LvType
{
    /// <summary>A character that this version of lvs(8) does not know.</summary>
    Unknown,

    /// <summary>Nothing special: linear or striped.</summary>
    Plain,
    Cache,
    Mirrored,
    MirroredWithoutInitialSync,
    Origin,
    OriginWithMergingSnapshot,
    Integrity,
    Raid,
    RaidWithoutInitialSync,
    Snapshot,
    MergingSnapshot,
    PvMove,
    Virtual,
    Image,
    ImageOutOfSync,
    MirrorLog,
    UnderConversion,
    ThinVolume,
    ThinPool,
    ThinPoolData,
    VdoPool,
    VdoPoolData,
    Metadata,
}

/// <summary>Second character of lv_attr.</summary>
internal enum LvPermission
{
    Unknown,

    /// <summary>Neither; lvs shows it for volumes that are not there as such (historical ones).</summary>
    None,
    Writable,
    ReadOnly,

    /// <summary>Writable in the metadata, activated read-only.</summary>
    ReadOnlyActivation,
}

/// <summary>Allocation policy: third character of lv_attr, fifth of vg_attr.</summary>
internal enum AllocationPolicy
{
    Unknown,
    None,
    Anywhere,
    Contiguous,
    Inherited,
    Cling,
    Normal,
}

/// <summary>Fifth character of lv_attr.</summary>
internal enum LvState
{
    /// <summary>LVM says that it does not know (X), or a character that lvs(8) does not know.</summary>
    Unknown,
    Inactive,
    Active,
    Historical,
    Suspended,
    InvalidSnapshot,
    InvalidSuspendedSnapshot,
    SnapshotMergeFailed,
    SuspendedSnapshotMergeFailed,
    DeviceWithoutTable,
    DeviceWithInactiveTable,
    ThinPoolCheckNeeded,
    SuspendedThinPoolCheckNeeded,
}

/// <summary>Sixth character of lv_attr.</summary>
internal enum LvOpen
{
    Unknown,
    Closed,
    Open,
}

/// <summary>Seventh character of lv_attr: the kernel target that drives it.</summary>
internal enum LvTarget
{
    /// <summary>LVM says that it does not know (u), or a character that lvs(8) does not know.</summary>
    Unknown,

    /// <summary>Linear, striped, or none of the below.</summary>
    Plain,
    Cache,
    Integrity,
    Mirror,
    Raid,
    Snapshot,
    Thin,
    Virtual,
}

/// <summary>Ninth character of lv_attr.</summary>
internal enum LvHealth
{
    /// <summary>LVM says that it does not know (X), or a character that lvs(8) does not know.</summary>
    Unknown,
    Good,

    /// <summary>Disks that it uses are missing.</summary>
    Partial,
    RefreshNeeded,
    MismatchesExist,
    WriteMostly,
    Reshaping,
    ReshapeRemoved,
    Failed,
    OutOfDataSpace,
    MetadataReadOnly,
    Error,
}

/// <summary>The ten characters of lv_attr, decoded as lvs(8) lists them.</summary>
internal sealed record LvAttributes
{
    public required LvType Type { get; init; }

    public required LvPermission Permission { get; init; }

    public required AllocationPolicy Allocation { get; init; }

    /// <summary>The allocation policy is in capitals: nothing may be allocated now, as during pvmove(8).</summary>
    public required bool AllocationLocked { get; init; }

    /// <summary>Fourth character: its minor device number is fixed.</summary>
    public required bool FixedMinor { get; init; }

    public required LvState State { get; init; }

    public required LvOpen Open { get; init; }

    public required LvTarget Target { get; init; }

    /// <summary>Eighth character: blocks are zeroed before their first use.</summary>
    public required bool ZeroesNewBlocks { get; init; }

    public required LvHealth Health { get; init; }

    /// <summary>Tenth character: it is left out of activation unless that is insisted on.</summary>
    public required bool SkipActivation { get; init; }

    /// <summary>Decodes the column lv_attr.</summary>
    /// <exception cref="FormatException">It does not have ten characters.</exception>
    public static LvAttributes Parse(string text)
    {
        if (text.Length != 10)
            throw new FormatException($"lv_attr '{text}' does not have ten characters");

        return new LvAttributes
        {
            Type = ParseType(text[0]),
            Permission = text[1] switch
            {
                'w' => LvPermission.Writable,
                'r' => LvPermission.ReadOnly,
                'R' => LvPermission.ReadOnlyActivation,
                '-' => LvPermission.None,
                _ => LvPermission.Unknown,
            },
            Allocation = ParseAllocation(text[2]),
            AllocationLocked = char.IsAsciiLetterUpper(text[2]),
            FixedMinor = text[3] == 'm',
            State = ParseState(text[4]),
            Open = text[5] switch { 'o' => LvOpen.Open, '-' => LvOpen.Closed, _ => LvOpen.Unknown },
            Target = text[6] switch
            {
                '-' => LvTarget.Plain,
                'C' => LvTarget.Cache,
                'i' => LvTarget.Integrity,
                'm' => LvTarget.Mirror,
                'r' => LvTarget.Raid,
                's' => LvTarget.Snapshot,
                't' => LvTarget.Thin,
                'v' => LvTarget.Virtual,
                _ => LvTarget.Unknown,
            },
            ZeroesNewBlocks = text[7] == 'z',
            Health = ParseHealth(text[8]),
            SkipActivation = text[9] == 'k',
        };
    }

    /// <summary>Decodes an allocation policy's letter; capitals are the same policy, locked.</summary>
    internal static AllocationPolicy ParseAllocation(char letter) => char.ToLowerInvariant(letter) switch
    {
        'a' => AllocationPolicy.Anywhere,
        'c' => AllocationPolicy.Contiguous,
        'i' => AllocationPolicy.Inherited,
        'l' => AllocationPolicy.Cling,
        'n' => AllocationPolicy.Normal,
        '-' => AllocationPolicy.None,
        _ => AllocationPolicy.Unknown,
    };

    private static LvType ParseType(char letter) => letter switch
    {
        '-' => LvType.Plain,
        'C' => LvType.Cache,
        'm' => LvType.Mirrored,
        'M' => LvType.MirroredWithoutInitialSync,
        'o' => LvType.Origin,
        'O' => LvType.OriginWithMergingSnapshot,
        'g' => LvType.Integrity,
        'r' => LvType.Raid,
        'R' => LvType.RaidWithoutInitialSync,
        's' => LvType.Snapshot,
        'S' => LvType.MergingSnapshot,
        'p' => LvType.PvMove,
        'v' => LvType.Virtual,
        'i' => LvType.Image,
        'I' => LvType.ImageOutOfSync,
        'l' => LvType.MirrorLog,
        'c' => LvType.UnderConversion,
        'V' => LvType.ThinVolume,
        't' => LvType.ThinPool,
        'T' => LvType.ThinPoolData,
        'd' => LvType.VdoPool,
        'D' => LvType.VdoPoolData,
        'e' => LvType.Metadata,
        _ => LvType.Unknown,
    };

    private static LvState ParseState(char letter) => letter switch
    {
        '-' => LvState.Inactive,
        'a' => LvState.Active,
        'h' => LvState.Historical,
        's' => LvState.Suspended,
        'I' => LvState.InvalidSnapshot,
        'S' => LvState.InvalidSuspendedSnapshot,
        'm' => LvState.SnapshotMergeFailed,
        'M' => LvState.SuspendedSnapshotMergeFailed,
        'd' => LvState.DeviceWithoutTable,
        'i' => LvState.DeviceWithInactiveTable,
        'c' => LvState.ThinPoolCheckNeeded,
        'C' => LvState.SuspendedThinPoolCheckNeeded,
        _ => LvState.Unknown,
    };

    private static LvHealth ParseHealth(char letter) => letter switch
    {
        '-' => LvHealth.Good,
        'p' => LvHealth.Partial,
        'r' => LvHealth.RefreshNeeded,
        'm' => LvHealth.MismatchesExist,
        'w' => LvHealth.WriteMostly,
        's' => LvHealth.Reshaping,
        'R' => LvHealth.ReshapeRemoved,
        'F' => LvHealth.Failed,
        'D' => LvHealth.OutOfDataSpace,
        'M' => LvHealth.MetadataReadOnly,
        'E' => LvHealth.Error,
        _ => LvHealth.Unknown,
    };
}
