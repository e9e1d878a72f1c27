namespace Carina.Silo.Lvm;

/// <summary>First character of pv_attr.</summary>
internal enum PvUse
{
    Unknown,

    /// <summary>It belongs to no volume group.</summary>
    None,

    /// <summary>It belongs to a volume group and gives it space.</summary>
    Allocatable,

    /// <summary>It belongs to a volume group, and nothing new may be put on it.</summary>
    Used,

    /// <summary>The same physical volume is seen on another device.</summary>
    Duplicate,
}

/// <summary>The three characters of pv_attr, decoded as pvs(8) lists them.</summary>
internal sealed record PvAttributes
{
    /// <summary>As LVM writes them.</summary>
    public string Text { get; init; } = "";

    public required PvUse Use { get; init; }

    /// <summary>Second character: its group was made ready to be taken to another host.</summary>
    public required bool Exported { get; init; }

    /// <summary>Third character: its device is not there.</summary>
    public required bool Missing { get; init; }

    /// <summary>Decodes the column pv_attr.</summary>
    /// <exception cref="FormatException">It does not have three characters.</exception>
    public static PvAttributes Parse(string text) => text.Length != 3
        ? throw new FormatException($"pv_attr '{text}' does not have three characters")
        : new PvAttributes
        {
            Text = text,
            Use = text[0] switch
            {
                '-' => PvUse.None,
                'a' => PvUse.Allocatable,
                'u' => PvUse.Used,
                'd' => PvUse.Duplicate,
                _ => PvUse.Unknown,
            },
            Exported = text[1] == 'x',
            Missing = text[2] == 'm',
        };
}
