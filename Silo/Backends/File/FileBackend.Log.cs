namespace Carina.Silo.Backends.Files;

internal sealed partial class FileBackend
{
    [LoggerMessage(Level = LogLevel.Information, Message = "Made volume {VolumeId} (generation {Generation}, {Bytes} bytes) in pool {Pool}")]
    private static partial void LogCreated(ILogger logger, string volumeId, long generation, long bytes, string pool);

    [LoggerMessage(Level = LogLevel.Information, Message = "Grew volume {VolumeId} to {Bytes} bytes in pool {Pool}")]
    private static partial void LogGrown(ILogger logger, string volumeId, long bytes, string pool);

    [LoggerMessage(Level = LogLevel.Information, Message = "Deleted volume {VolumeId} (generation {Generation})")]
    private static partial void LogDeleted(ILogger logger, string volumeId, long generation);

    [LoggerMessage(Level = LogLevel.Warning, Message = "File {File} in a pool's directory is passed over: {Reason}")]
    private static partial void LogForeignFile(ILogger logger, string file, string reason);
}
