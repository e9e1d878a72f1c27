namespace Carina.Silo.Backends.Lvm;

internal sealed partial class LvmPool
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "Pool {Pool}: '{Command}' is asked again: {Reason}")]
    private static partial void LogRepeating(ILogger logger, string pool, string command, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Pool {Pool}: volume {VolumeId} was left unfinished; it holds nobody's data and is made anew")]
    private static partial void LogRemaking(ILogger logger, string pool, string volumeId);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Pool {Pool}: generation {Generation} of volume {VolumeId} is not there to be deleted; the disk has generation {Present}, which is left alone")]
    private static partial void LogOlderCopy(ILogger logger, string pool, string volumeId, long generation, long present);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Pool {Pool}: I/O to volume {VolumeId} was held back, as an interrupted change leaves it; it goes on now")]
    private static partial void LogResumed(ILogger logger, string pool, string volumeId);
}
