using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Microsoft.Extensions.Logging;

namespace Carina.Grains.Failover;

/// <summary>Looks after copies that moves left behind: puts them aside when their nodes are back, and keeps to the policy.</summary>
internal sealed partial class RetiredCopies(
    IFailoverWorld world, IVolumeMoves volumes, TimeProvider time, ILogger<RetiredCopies> logger)
{
    private readonly Dictionary<string, string> _told = new(StringComparer.Ordinal);

    /// <summary>Does for one volume's copies what can be done now.</summary>
    public async Task SettleAsync(VolumeRecord volume, FailoverOptions options, CancellationToken cancellationToken)
    {
        try
        {
            var settled = volume.Retired.All(c => c.StoredAs.Length > 0)
                ? volume
                : await volumes.Get(volume.VolumeId).PutCopiesAsideAsync(cancellationToken);
            _told.Remove(volume.VolumeId);
            if (options.CopyRetention is { } retention)
            {
                await ExpireAsync(settled, retention, cancellationToken);
            }
        }
        catch (StorageException exception)
        {
            if (!_told.TryGetValue(volume.VolumeId, out var told) || told != exception.Message)
            {
                _told[volume.VolumeId] = exception.Message;
                LogLater(volume.VolumeId, exception.Message);
            }
        }
    }

    private async Task ExpireAsync(VolumeRecord volume, TimeSpan retention, CancellationToken cancellationToken)
    {
        foreach (var copy in volume.Retired.Where(c => c.StoredAs.Length > 0 && time.GetUtcNow() - c.RetiredAt > retention))
        {
            var now = await volumes.Get(volume.VolumeId).DiscardCopyAsync(
                copy.NodeName, copy.Generation, $"it was older than {retention.TotalHours:0.#} h (failover.copyRetentionHours)", cancellationToken);
            LogExpired(volume.VolumeId, copy.Generation, copy.NodeName);
            world.Tell(new(
                FailoverNames.Discarded,
                $"The copy of generation {copy.Generation} on node {copy.NodeName}, left there at {copy.RetiredAt:u}, was deleted: it was older "
                + $"than {retention.TotalHours:0.#} h.",
                Warning: false)
            { NodeName = copy.NodeName, Volumes = [now] });
        }
    }

    [LoggerMessage(1, LogLevel.Information, "Copies of volume {VolumeId} cannot be put aside or deleted now; tries later: {Reason}")]
    private partial void LogLater(string volumeId, string reason);

    [LoggerMessage(2, LogLevel.Warning, "Volume {VolumeId}: deleted the copy of generation {Generation} on node {Node}, as the policy says")]
    private partial void LogExpired(string volumeId, long generation, string node);
}
