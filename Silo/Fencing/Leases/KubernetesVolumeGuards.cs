using Carina.Grains;
using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Carina.Silo.Mounting;
using Microsoft.Extensions.Options;

namespace Carina.Silo.Fencing.Leases;

/// <summary><see cref="IVolumeGuards"/> by the node's lease.</summary>
internal sealed partial class KubernetesVolumeGuards(
    GuardedVolumes guarded,
    FencedVolumes fenced,
    IVolumeFence fence,
    NodeLeaseKeeper keeper,
    PodOptIn pods,
    IGrainFactory grains,
    IOptions<SiloOptions> silo,
    TimeProvider time,
    ILogger<KubernetesVolumeGuards> logger) : IVolumeGuards
{
    // A round that is under way, and one more.
    private static readonly TimeSpan _renewalLimit = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan _grainLimit = TimeSpan.FromSeconds(5);

    // The kubelet's calls for a volume come one at a time, but not those of the watch on pods.
    private readonly KeyedLock _turns = new();

    public async Task PrepareStageAsync(VolumeRecord record, CancellationToken cancellationToken)
    {
        // Until it is renewed, others may be about to take the volume: nothing of it is brought back to life before.
        if (keeper.IsLapsed)
            await RenewAsync(cancellationToken).ConfigureAwait(false);

        if (fenced.Find(record.VolumeId) is { } known && known.Generation <= record.Generation)
        {
            if (known.Generation == record.Generation)
            {
                await fence.LiftAsync(KeyOf(record), cancellationToken).ConfigureAwait(false);
            }
            else
            {
                // Of a copy that was given up. The lease must not say that this node has stopped writing to the volume.
                fenced.Remove(new(known.VolumeId, known.Pool, known.Generation));
                await fenced.SaveAsync(cancellationToken).ConfigureAwait(false);
            }
        }

        if (keeper.MayAnnounce(record.VolumeId))
            await RenewAsync(cancellationToken).ConfigureAwait(false);
    }

    public async Task GuardAsync(VolumeRecord record, string targetPath, CancellationToken cancellationToken)
    {
        using var turn = await _turns.AcquireAsync(record.VolumeId, cancellationToken).ConfigureAwait(false);
        await GuardInTurnAsync(record, targetPath, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// No pod that has the volume here wants failover any more. Its record is told first: others must not rely on what
    /// this node does not do.
    /// </summary>
    /// <exception cref="StorageException">The record could not be told; the volume stays guarded.</exception>
    public async Task UnguardAsync(DiskVolumeKey key, CancellationToken cancellationToken)
    {
        using var turn = await _turns.AcquireAsync(key.VolumeId, cancellationToken).ConfigureAwait(false);
        if (guarded.Find(key.VolumeId) != key)
            return;

        await WithinAsync(
            _grainLimit,
            stop => grains.GetGrain<IVolumeGrain>(key.VolumeId).UnguardAsync(silo.Value.NodeName, key.Generation, stop),
            cancellationToken).ConfigureAwait(false);
        await guarded.RemoveAsync(key.VolumeId, cancellationToken).ConfigureAwait(false);
        keeper.Wake();
    }

    private async Task GuardInTurnAsync(VolumeRecord record, string targetPath, CancellationToken cancellationToken)
    {
        var key = KeyOf(record);
        var isGuarded = guarded.Find(key.VolumeId) == key;
        if (!isGuarded && !await IsWantedAsync(record, targetPath, cancellationToken).ConfigureAwait(false))
            return;

        if (!isGuarded)
        {
            if (keeper.IsLapsed)
            {
                LogUnguarded(key.VolumeId, "the node's lease has lapsed");
                return;
            }

            await guarded.AddAsync(key, cancellationToken).ConfigureAwait(false);
            try
            {
                // With the first guarded volume the lease begins to say that something is.
                await RenewAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (StorageException exception)
            {
                // The volume's grain has not heard of it.
                await guarded.RemoveAsync(key.VolumeId, cancellationToken).ConfigureAwait(false);
                LogUnguarded(key.VolumeId, exception.Message);
                return;
            }
        }

        try
        {
            await WithinAsync(
                _grainLimit,
                stop => grains.GetGrain<IVolumeGrain>(key.VolumeId).GuardAsync(silo.Value.NodeName, key.Generation, stop),
                cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (
            exception is StorageException { Code: StorageErrorCode.Unavailable } or TimeoutException or OrleansException)
        {
            // It may have heard all the same, so the word is kept.
            if (!isGuarded)
                LogUnguarded(key.VolumeId, exception.Message);
        }
        catch (StorageException) when (!isGuarded)
        {
            await guarded.RemoveAsync(key.VolumeId, cancellationToken).ConfigureAwait(false);
            throw;
        }
    }

    public async Task ReleaseAsync(string volumeId, CancellationToken cancellationToken)
    {
        using var turn = await _turns.AcquireAsync(volumeId, cancellationToken).ConfigureAwait(false);
        if (await guarded.RemoveAsync(volumeId, cancellationToken).ConfigureAwait(false) is not { } key)
            return;

        keeper.Wake();
        try
        {
            await WithinAsync(
                _grainLimit,
                stop => grains.GetGrain<IVolumeGrain>(volumeId).UnguardAsync(silo.Value.NodeName, key.Generation, stop),
                cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is StorageException or TimeoutException or OrleansException)
        {
            // Its record goes on to say that it is guarded here, and the next pod that gets it here makes that true.
            LogNotReleased(volumeId, exception.Message);
        }
    }

    private static DiskVolumeKey KeyOf(VolumeRecord record) => new(record.VolumeId, record.Pool, record.Generation);

    private async Task<bool> IsWantedAsync(VolumeRecord record, string targetPath, CancellationToken cancellationToken)
    {
        // Others rely on what the record says, whatever became of the pod that it was said for.
        if (FailoverSwitch.IsOn(record.Parameters)
            || (record.Guard is { } guard && guard.NodeName == silo.Value.NodeName && guard.Generation == record.Generation))
        {
            return true;
        }

        var wanted = await pods.FindAsync(targetPath, cancellationToken).ConfigureAwait(false);
        if (wanted is null)
            LogUnguarded(record.VolumeId, "the API server does not say whether its pod opted in");

        return wanted == true;
    }

    private Task RenewAsync(CancellationToken cancellationToken) => WithinAsync(_renewalLimit, keeper.RenewNowAsync, cancellationToken);

    private async Task WithinAsync(TimeSpan longest, Func<CancellationToken, Task> call, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(longest, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await call(either.Token).WaitAsync(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new StorageException(
                StorageErrorCode.Unavailable, $"There was no answer within {longest.TotalSeconds:0} s. Try again.", exception);
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Volume {VolumeId} goes to its pod unguarded, so it is not handed over when this node's lease lapses: {Reason}")]
    private partial void LogUnguarded(string volumeId, string reason);

    [LoggerMessage(2, LogLevel.Information, "Volume {VolumeId} is not guarded here any more, but its record could not be told: {Reason}")]
    private partial void LogNotReleased(string volumeId, string reason);
}
