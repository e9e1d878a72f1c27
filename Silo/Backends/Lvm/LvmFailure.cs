using Carina.Grains.Errors;
using Carina.Silo.Lvm;

namespace Carina.Silo.Backends.Lvm;

/// <summary>Turns LVM's failures into what callers are told.</summary>
internal static class LvmFailure
{
    /// <param name="exception">What LVM said.</param>
    /// <param name="what">What was to be done, with its objects: "create volume-a of 5 bytes in pool ssd".</param>
    public static StorageException Explain(LvmException exception, string what) => new(
        exception.Kind switch
        {
            LvmErrorKind.NoSpace => StorageErrorCode.ResourceExhausted,
            LvmErrorKind.AlreadyExists => StorageErrorCode.AlreadyExists,
            LvmErrorKind.NotFound => StorageErrorCode.NotFound,
            LvmErrorKind.InUse or LvmErrorKind.MissingDevices or LvmErrorKind.GroupNotFound => StorageErrorCode.FailedPrecondition,
            LvmErrorKind.Locked or LvmErrorKind.ProcessEnded or LvmErrorKind.OutcomeUnknown => StorageErrorCode.Unavailable,
            _ => StorageErrorCode.Internal,
        },
        $"Cannot {what}: {exception.Message}{Advice(exception.Kind)}",
        exception);

    private static string Advice(LvmErrorKind kind) => kind switch
    {
        LvmErrorKind.MissingDevices => " Bring the missing disks back; nothing is removed from the volume group by itself.",
        LvmErrorKind.GroupNotFound => " Was it renamed, exported, or are its disks gone?",
        LvmErrorKind.InUse => " Unmount it, or end what has it open, first.",
        _ => "",
    };
}
