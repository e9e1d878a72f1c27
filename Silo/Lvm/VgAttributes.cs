namespace Carina.Silo.Lvm;

/// <summary>Sixth character of vg_attr: whether the group belongs to this host alone.</summary>
internal enum VgSharing
{
    Unknown,
    Local,
    Clustered,
    Shared,
}

/// <summary>The six characters of vg_attr, decoded as vgs(8) lists them.</summary>
internal sealed record VgAttributes
{
    /// <summary>As LVM writes them.</summary>
    public string Text { get; init; } = "";

    /// <summary>First character: whether its metadata may be changed; null for a character that vgs(8) does not know.</summary>
    public required bool? Writable { get; init; }

    /// <summary>Second character: whether disks may be added.</summary>
    public required bool Resizable { get; init; }

    /// <summary>Third character: it was made ready to be taken to another host.</summary>
    public required bool Exported { get; init; }

    /// <summary>Fourth character: disks of it are missing.</summary>
    public required bool Partial { get; init; }

    public required AllocationPolicy Allocation { get; init; }

    public required VgSharing Sharing { get; init; }

    /// <summary>Decodes the column vg_attr.</summary>
    /// <exception cref="FormatException">It does not have six characters.</exception>
    public static VgAttributes Parse(string text) => text.Length != 6
        ? throw new FormatException($"vg_attr '{text}' does not have six characters")
        : new VgAttributes
        {
            Text = text,
            Writable = text[0] switch { 'w' => true, 'r' => false, _ => null },
            Resizable = text[1] == 'z',
            Exported = text[2] == 'x',
            Partial = text[3] == 'p',
            Allocation = LvAttributes.ParseAllocation(text[4]),
            Sharing = text[5] switch
            {
                '-' => VgSharing.Local,
                'c' => VgSharing.Clustered,
                's' => VgSharing.Shared,
                _ => VgSharing.Unknown,
            },
        };
}
