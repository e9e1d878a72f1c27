using Microsoft.Extensions.Logging;

namespace Carina.CsiGateway.Node;

/// <content>Log messages.</content>
internal sealed partial class CsiNodeService
{
    [LoggerMessage(1, LogLevel.Warning,
        "Publishing volume {VolumeId} on the word it was staged with: its owner cannot be asked ({Reason})")]
    private partial void LogPublishedFromMemory(string volumeId, string reason);
}
