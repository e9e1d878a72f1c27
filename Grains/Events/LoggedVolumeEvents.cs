using Microsoft.Extensions.Logging;

namespace Carina.Grains.Events;

/// <summary>Without Kubernetes there is the log.</summary>
public sealed partial class LoggedVolumeEvents(ILogger<LoggedVolumeEvents> logger) : IVolumeEvents
{
    public void Report(VolumeEvent happened)
    {
        ArgumentNullException.ThrowIfNull(happened);
        if (happened.Code is null)
        {
            LogHappened(happened.VolumeId, happened.Reason, happened.Message);
        }
        else
        {
            LogFailed(happened.VolumeId, happened.Reason, happened.Code.Value, happened.Message);
        }
    }

    [LoggerMessage(1, LogLevel.Information, "Volume {VolumeId}: {Reason}: {Text}")]
    private partial void LogHappened(string volumeId, VolumeEventReason reason, string text);

    [LoggerMessage(2, LogLevel.Warning, "Volume {VolumeId}: {Reason} ({Code}): {Text}")]
    private partial void LogFailed(string volumeId, VolumeEventReason reason, Errors.StorageErrorCode code, string text);
}
