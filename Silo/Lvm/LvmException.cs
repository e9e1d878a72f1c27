namespace Carina.Silo.Lvm;

/// <summary>Why LVM did not do what it was asked.</summary>
internal enum LvmErrorKind
{
    /// <summary>None of the below; LVM's own words say it.</summary>
    Other,

    /// <summary>The volume group has too few free extents.</summary>
    NoSpace,

    /// <summary>Something of that name is there.</summary>
    AlreadyExists,

    /// <summary>There is no such logical volume.</summary>
    NotFound,

    /// <summary>There is no such volume group among the devices that are looked at.</summary>
    GroupNotFound,

    /// <summary>Somebody has the volume open.</summary>
    InUse,

    /// <summary>The volume has the wanted size or more.</summary>
    NotLarger,

    /// <summary>Disks of the volume group are not there.</summary>
    MissingDevices,

    /// <summary>Another program held the volume group's lock for too long; nothing was done.</summary>
    Locked,

    /// <summary>The process ended before it answered; what it was asked may or may not have been done. Ask again.</summary>
    ProcessEnded,

    /// <summary>The process hung, or its answer is not understood; what it was asked may or may not have been done.</summary>
    OutcomeUnknown,
}

/// <summary>A failure of an LVM command, with LVM's own words.</summary>
internal sealed class LvmException : Exception
{
    public LvmException(LvmErrorKind kind, string message, Exception? innerException = null)
        : base(message, innerException) => Kind = kind;

    public LvmErrorKind Kind { get; }
}
