namespace Carina.Silo.Lvm;

internal sealed partial class LvmSession
{
    [LoggerMessage(Level = LogLevel.Debug, Message = "LVM for {Pool} runs as process {ProcessId}")]
    private static partial void LogStarted(ILogger logger, string pool, int processId);

    [LoggerMessage(Level = LogLevel.Debug, Message = "LVM for {Pool} has had nothing to do; process {ProcessId} ends")]
    private static partial void LogClosed(ILogger logger, string pool, int processId);

    [LoggerMessage(Level = LogLevel.Debug, Message = "LVM for {Pool}: '{Command}' answered {ReturnCode} after {Milliseconds} ms")]
    private static partial void LogAnswered(ILogger logger, string pool, string command, int returnCode, double milliseconds);

    [LoggerMessage(Level = LogLevel.Information, Message = "LVM for {Pool}: nobody waits for '{Command}' any more; it runs to its end")]
    private static partial void LogAbandoned(ILogger logger, string pool, string command);

    [LoggerMessage(Level = LogLevel.Warning, Message = "LVM for {Pool}: the process ended during '{Command}': {Error}")]
    private static partial void LogProcessEnded(ILogger logger, string pool, string command, string error);

    [LoggerMessage(Level = LogLevel.Error, Message = "LVM for {Pool}: '{Command}' hangs; process {ProcessId} is being ended (waits for a lock: {WaitsForLock})")]
    private static partial void LogHangs(ILogger logger, string pool, string command, int processId, bool waitsForLock);

    [LoggerMessage(Level = LogLevel.Error, Message = "LVM for {Pool}: process {ProcessId} cannot be ended; it waits for a device that does not answer")]
    private static partial void LogUnkillable(ILogger logger, string pool, int processId);
}
