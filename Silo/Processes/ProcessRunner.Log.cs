namespace Carina.Silo.Processes;

internal sealed partial class ProcessRunner
{
    [LoggerMessage(Level = LogLevel.Debug, Message = "{Program} ended with {ExitCode} after {Milliseconds} ms")]
    private static partial void LogEnded(ILogger logger, string program, int exitCode, double milliseconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Program} was left running by its caller's deadline and did not heed TERM; killing process {ProcessId}")]
    private static partial void LogKilling(ILogger logger, string program, int processId);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Program} (process {ProcessId}) cannot be killed; it waits for a device that does not answer")]
    private static partial void LogUnkillable(ILogger logger, string program, int processId);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Program} ended, but something it started keeps its output open; the output so far is used")]
    private static partial void LogOutputHeldOpen(ILogger logger, string program);
}
