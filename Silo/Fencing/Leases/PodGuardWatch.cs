using System.Threading.Channels;
using Carina.Grains;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Carina.Kubernetes.Watching;
using Carina.Silo.Mounting;
using k8s.Models;
using Microsoft.Extensions.Options;

namespace Carina.Silo.Fencing.Leases;

/// <summary>
/// Follows the pods that run here already: one that opts in later, or did so before the driver knew of guards, has its
/// volumes guarded; when none opts in any more, the word is taken back.
/// </summary>
internal sealed partial class PodGuardWatch(
    GuardedVolumes guarded,
    KubernetesVolumeGuards guards,
    PodOptIn optIn,
    [FromKeyedServices(PodOptIn.OwnPods)] IResourceCache<V1Pod> pods,
    NodeVolumesOptions mounting,
    IGrainFactory grains,
    IOptions<SiloOptions> silo,
    TimeProvider time,
    ILogger<PodGuardWatch> logger) : BackgroundService
{
    // A pod's status changes often while it starts, and what a publication is about to do need not be done twice.
    private static readonly TimeSpan _calm = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan _retry = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan _limit = TimeSpan.FromSeconds(20);

    private readonly Channel<bool> _changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await pods.Synced.WaitAsync(stoppingToken).ConfigureAwait(false);
            using var following = pods.OnChange(change =>
            {
                if (FailoverSwitch.IsOn(change.Old?.Metadata.Annotations) != FailoverSwitch.IsOn(change.New?.Metadata.Annotations))
                    _changes.Writer.TryWrite(true);
            });
            while (true)
            {
                while (!await LookAsync(stoppingToken).ConfigureAwait(false))
                    await Task.Delay(_retry, time, stoppingToken).ConfigureAwait(false);

                await _changes.Reader.ReadAsync(stoppingToken).ConfigureAwait(false);
                await Task.Delay(_calm, time, stoppingToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops.
        }
    }

    /// <summary>False when something has to be tried again.</summary>
    private async Task<bool> LookAsync(CancellationToken stop)
    {
        var done = true;
        foreach (var volume in PodMount.ReadAll(mounting.AllowedRoots).GroupBy(mount => mount.VolumeId, StringComparer.Ordinal))
        {
            using var limit = new CancellationTokenSource(_limit, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stop);
            try
            {
                await SeeToAsync(volume.Key, [.. volume], either.Token).WaitAsync(either.Token).ConfigureAwait(false);
            }
            catch (Exception exception) when (!stop.IsCancellationRequested)
            {
                done = false;
                LogLater(volume.Key, exception.Message);
            }
        }

        return done;
    }

    private async Task SeeToAsync(string volumeId, IReadOnlyList<PodMount> mounts, CancellationToken stop)
    {
        var wishes = mounts.Select(mount => (Mount: mount, IsOn: optIn.FindKnown(mount.PodUid))).ToList();
        var known = guarded.Find(volumeId);
        if (known is null && wishes.Find(wish => wish.IsOn == true).Mount is { } wanting)
        {
            var record = await AuthorizeAsync(volumeId, stop).ConfigureAwait(false);
            if (record is not null)
                await guards.GuardAsync(record, wanting.Path, stop).ConfigureAwait(false);
        }
        else if (known is not null && wishes.TrueForAll(wish => wish.IsOn == false))
        {
            var record = await AuthorizeAsync(volumeId, stop).ConfigureAwait(false);
            if (record is not null && record.Generation == known.Generation && !FailoverSwitch.IsOn(record.Parameters))
            {
                await guards.UnguardAsync(known, stop).ConfigureAwait(false);
                LogUnguarded(volumeId);
            }
        }
    }

    /// <summary>The volume's record; null when it is another node's by now.</summary>
    private async Task<VolumeRecord?> AuthorizeAsync(string volumeId, CancellationToken stop)
    {
        try
        {
            return await grains.GetGrain<IVolumeGrain>(volumeId).AuthorizeAsync(silo.Value.NodeName, stop).WaitAsync(stop).ConfigureAwait(false);
        }
        catch (StorageException exception) when (exception.Code is StorageErrorCode.FailedPrecondition or StorageErrorCode.NotFound)
        {
            return null;
        }
    }

    [LoggerMessage(1, LogLevel.Information, "Volume {VolumeId} is not guarded any more: no pod that has it here asks for failover")]
    private partial void LogUnguarded(string volumeId);

    [LoggerMessage(2, LogLevel.Warning, "Whether volume {VolumeId} is to be guarded could not be settled; tries later: {Reason}")]
    private partial void LogLater(string volumeId, string reason);
}
