using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Carina.Silo.Backends;
using Carina.Silo.Mounting;
using Microsoft.Extensions.Options;

namespace Carina.Silo.Fencing.Leases;

/// <summary>
/// After a node is back: lifts fences of volumes that are this node's still and that nothing uses any more, and finds out
/// what became of volumes that were guarded while the driver was away.
/// </summary>
internal sealed partial class FenceReturns(
    GuardedVolumes guarded,
    FencedVolumes fenced,
    IVolumeFence fence,
    IEnumerable<IPoolBackend> backends,
    NodeVolumesOptions mounting,
    NodeLeaseKeeper keeper,
    IGrainFactory grains,
    IOptions<SiloOptions> silo,
    IOptions<NodeLeaseOptions> options,
    TimeProvider time,
    ILogger<FenceReturns> logger) : BackgroundService
{
    private const int LongestPauseInIntervals = 16;
    private static readonly TimeSpan _look = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan _limit = TimeSpan.FromSeconds(5);

    private readonly IFenceableBackend[] _backends = [.. backends.OfType<IFenceableBackend>()];

    // When a volume is looked at next, and how long it was waited for last.
    private readonly Dictionary<string, (DateTimeOffset Next, TimeSpan Pause)> _paces = new(StringComparer.Ordinal);
    private List<DiskVolumeKey> _inherited = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        _inherited = [.. guarded.All];
        var inheritedFences = fenced.All;

        // Whether they are cut off after a restart of the node, or because the last process got that far, is not known.
        await Task.WhenAll(inheritedFences.Select(volume => TryAsync(
            "fence", volume.VolumeId,
            stop => fence.FenceAsync(new(volume.VolumeId, volume.Pool, volume.Generation), volume.Reason, stop),
            stoppingToken))).ConfigureAwait(false);
        while (!stoppingToken.IsCancellationRequested)
        {
            if (keeper.IsRenewed)
                await LookAsync(stoppingToken).ConfigureAwait(false);

            await Task.Delay(_look, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task LookAsync(CancellationToken stop)
    {
        foreach (var key in _inherited.ToList())
        {
            if (await TryAsync("check", key.VolumeId, limit => CheckAsync(key, limit), stop).ConfigureAwait(false))
                _inherited.Remove(key);
        }

        // The guard process may have cut it off while this one had just started: nobody hears of that but from here.
        foreach (var volume in fenced.All.Where(volume => !fenced.IsConfirmed(volume)))
        {
            await TryAsync(
                "fence", volume.VolumeId,
                limit => fence.FenceAsync(new(volume.VolumeId, volume.Pool, volume.Generation), volume.Reason, limit),
                stop).ConfigureAwait(false);
        }

        var now = time.GetUtcNow();
        var all = fenced.All;
        foreach (var gone in _paces.Keys.Except(all.Select(volume => volume.VolumeId)).ToList())
            _paces.Remove(gone);

        foreach (var volume in all)
        {
            if (_paces.TryGetValue(volume.VolumeId, out var pace) && now < pace.Next)
                continue;

            // What is another node's by now may stay fenced for years.
            var pause = pace.Pause == default ? options.Value.LiftInterval : pace.Pause * 2;
            var longest = options.Value.LiftInterval * LongestPauseInIntervals;
            pause = pause < longest ? pause : longest;
            _paces[volume.VolumeId] = (now + pause, pause);
            await TryAsync(
                "lift", volume.VolumeId, limit => LiftAsync(new(volume.VolumeId, volume.Pool, volume.Generation), limit), stop).ConfigureAwait(false);
        }
    }

    /// <summary>Nobody watched the lease while the driver was away: the volume may have been given to another node.</summary>
    private async Task CheckAsync(DiskVolumeKey key, CancellationToken limit)
    {
        if (guarded.Find(key.VolumeId) == key && !await IsOursAsync(key, limit).ConfigureAwait(false))
        {
            await fence.FenceAsync(key, "it was taken from this node while the driver did not run here", limit).ConfigureAwait(false);
        }
    }

    private async Task LiftAsync(DiskVolumeKey key, CancellationToken limit)
    {
        if (!await IsUsedAsync(key, limit).ConfigureAwait(false) && await IsOursAsync(key, limit).ConfigureAwait(false))
            await fence.LiftAsync(key, limit).ConfigureAwait(false);
    }

    private async Task<bool> IsOursAsync(DiskVolumeKey key, CancellationToken limit)
    {
        try
        {
            var record = await grains.GetGrain<IVolumeGrain>(key.VolumeId).AuthorizeAsync(silo.Value.NodeName, limit)
                .WaitAsync(limit).ConfigureAwait(false);
            return record.Generation == key.Generation;
        }
        catch (StorageException exception) when (exception.Code is StorageErrorCode.FailedPrecondition or StorageErrorCode.NotFound)
        {
            return false;
        }
    }

    private async Task<bool> IsUsedAsync(DiskVolumeKey key, CancellationToken limit)
    {
        foreach (var backend in _backends)
        {
            var devices = await OwnThread.RunAsync(() => backend.IdentifyAsync(key, limit)).Unwrap().WaitAsync(limit).ConfigureAwait(false);
            if (devices.Any(device => VolumeMounts.Read(device, mounting.AllowedRoots).All.Any()))
                return true;
        }

        return false;
    }

    private async Task<bool> TryAsync(string what, string volumeId, Func<CancellationToken, Task> work, CancellationToken stop)
    {
        using var limit = new CancellationTokenSource(_limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop);
        try
        {
            await work(either.Token).ConfigureAwait(false);
            return true;
        }
        catch (Exception exception)
        {
            LogLater(what, volumeId, exception.Message);
            return false;
        }
    }

    [LoggerMessage(1, LogLevel.Debug, "Could not {What} volume {VolumeId}; tries later: {Reason}")]
    private partial void LogLater(string what, string volumeId, string reason);
}
