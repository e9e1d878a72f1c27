using Microsoft.Extensions.Logging;

namespace Carina.Grains.Volumes;

internal sealed partial class VolumeGrain
{
    [LoggerMessage(1, LogLevel.Warning, "Volume {VolumeId}: pool {Pool} on node {Node} is full ({Reason}); looking elsewhere")]
    private partial void LogPoolFull(string volumeId, string node, string pool, string reason);

    [LoggerMessage(2, LogLevel.Warning, "Volume {VolumeId} lost a write and starts again from the store")]
    private partial void LogLost(string volumeId, Exception exception);

    [LoggerMessage(4, LogLevel.Information, "Volume {VolumeId} on node {Node} in pool {Pool} bears our tags from now on")]
    private partial void LogAdopted(string volumeId, string node, string pool);

    [LoggerMessage(3, LogLevel.Information, "Volume {VolumeId}: removed the unused generation {Generation} from node {Node}")]
    private partial void LogCleanedUp(string volumeId, string node, long generation);

    [LoggerMessage(5, LogLevel.Warning,
        "Volume {VolumeId} is deleted, but node {Node} does not answer: its copy of generation {Generation} stays there as {StoredAs}")]
    private partial void LogCopyLeft(string volumeId, long generation, string node, string storedAs);
}
