namespace Carina.Grains.Errors;

/// <summary>Why a request failed. The values are those of gRPC's canonical status codes.</summary>
public enum StorageErrorCode
{
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Internal = 13,
    Unavailable = 14,
}

/// <summary>
/// A failure that a caller is meant to read: what was asked, what stands in the way, what to do. It crosses grain calls
/// with its code intact and becomes a gRPC status at the gateway.
/// </summary>
[GenerateSerializer]
[Alias("carina.StorageException")]
public sealed class StorageException : Exception
{
    public StorageException(StorageErrorCode code, string message)
        : base(message) => Code = code;

    public StorageException(StorageErrorCode code, string message, Exception? innerException)
        : base(message, innerException) => Code = code;

    /// <summary>The canonical code.</summary>
    [Id(0)]
    public StorageErrorCode Code { get; private set; }
}
