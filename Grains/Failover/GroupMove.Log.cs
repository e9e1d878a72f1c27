using Microsoft.Extensions.Logging;

namespace Carina.Grains.Failover;

internal sealed partial class GroupMove
{
    [LoggerMessage(1, LogLevel.Warning, "Group of volume {VolumeId} leaves node {Node}: {Reason}")]
    private partial void LogStarted(string volumeId, string node, string reason);

    [LoggerMessage(2, LogLevel.Warning, "Volume {VolumeId} was moved from node {From} to node {To} in {Seconds} s")]
    private partial void LogDone(string volumeId, string from, string to, double seconds);

    [LoggerMessage(3, LogLevel.Warning, "The move of the group of volume {VolumeId} waits: {Problem}")]
    private partial void LogWaiting(string volumeId, string problem);

    [LoggerMessage(4, LogLevel.Information, "What stands in the way of volume {VolumeId} could not be written into its record: {Problem}")]
    private partial void LogNotNoted(string volumeId, string problem);
}
