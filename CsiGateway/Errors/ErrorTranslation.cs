using Carina.Grains.Errors;
using Carina.Grains.Storage;
using Grpc.Core;
using Orleans.Storage;

namespace Carina.CsiGateway.Errors;

/// <summary>An error as callers get it.</summary>
/// <param name="Status">Code and message.</param>
/// <param name="IsOurFault">True when somebody should look into the log: an incident.</param>
internal readonly record struct TranslatedError(Status Status, bool IsOurFault);

/// <summary>Turns exceptions into statuses. Details of faults stay in the log.</summary>
internal static class ErrorTranslation
{
    // Statuses travel in HTTP headers, of which clients take 8 KiB and less.
    private const int MaxMessageChars = 1024;

    /// <summary>The status for an exception.</summary>
    /// <param name="exception">What was thrown.</param>
    /// <param name="method">The RPC, for messages.</param>
    /// <param name="callerGaveUp">The caller cancelled the call.</param>
    /// <param name="deadlinePassed">The caller's deadline has passed.</param>
    public static TranslatedError Translate(
        Exception exception, string method, bool callerGaveUp, bool deadlinePassed)
    {
        var (code, message, isOurFault) = exception switch
        {
            StorageException e => (CodeOf(e.Code), e.Message, e.Code is StorageErrorCode.Internal),
            RpcException { StatusCode: StatusCode.Unimplemented } =>
                (StatusCode.Unimplemented, $"{method} is not offered by this release.", false),
            OperationCanceledException when deadlinePassed =>
                (StatusCode.DeadlineExceeded, $"{method} did not finish before the caller's deadline.", false),
            OperationCanceledException when callerGaveUp => (StatusCode.Cancelled, $"{method} was cancelled.", false),
            OperationCanceledException =>
                (StatusCode.Unavailable, $"{method} was cut short, probably by a restart; try again.", false),
            TimeoutException =>
                (StatusCode.DeadlineExceeded, $"{method} got no answer from the cluster in time; try again.", false),
            RecordConflictException or InconsistentStateException =>
                (StatusCode.Aborted, $"{method} met another change of the same volume; try again.", false),
            OrleansException =>
                (StatusCode.Unavailable, $"{method} cannot reach the part of the cluster it needs; try again.", false),
            _ => (StatusCode.Internal, "", true),
        };
        return new(new Status(code, Clean(message, method, code)), isOurFault);
    }

    /// <summary>The status of an incident: says where to look, and nothing of what was found.</summary>
    public static Status Incident(string method, string incident) => new(
        StatusCode.Internal,
        $"{method} failed unexpectedly. The log of this process has the details under incident {incident}.");

    private static StatusCode CodeOf(StorageErrorCode code) =>
        Enum.IsDefined(code) ? (StatusCode)code : StatusCode.Internal;

    private static string Clean(string message, string method, StatusCode code)
    {
        if (string.IsNullOrWhiteSpace(message))
        {
            return $"{method} failed with {code}.";
        }

        return message.Length <= MaxMessageChars ? message : string.Concat(message.AsSpan(0, MaxMessageChars - 1), "…");
    }
}
