namespace Carina.Silo.Mounting;

internal sealed partial class NodeVolumes
{
    [LoggerMessage(Level = LogLevel.Information, Message = "Done: {Verb} volume {VolumeId} at {Path}")]
    private static partial void LogDone(ILogger logger, string verb, string volumeId, string path);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Could not {Verb} volume {VolumeId} at {Path}: {Reason}")]
    private static partial void LogRefused(ILogger logger, string verb, string volumeId, string path, string reason);
}
