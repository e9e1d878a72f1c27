using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Tests.Failover.Simulation.Cluster;
using Carina.Grains.Volumes;

namespace Carina.Grains.Tests.Failover.Simulation.Node;

/// <summary>The rules of KubernetesVolumeGuards and FenceReturns (Silo/Fencing/Leases), and those of the CSI node service around them.</summary>
internal sealed class SimVolumeGuards(SimCluster cluster, SimSilo silo)
{
    private readonly SimMachine _machine = silo.Process.Machine;
    private readonly SimAgent _agent = silo.Agent!;
    private readonly Dictionary<string, VolumeRecord> _staged = [];
    private readonly Dictionary<string, (TimeSpan Next, TimeSpan Pause)> _paces = [];
    private readonly List<DiskVolumeKey> _inherited = [.. silo.Process.Machine.GuardedFile.Values];

    private SimLeaseKeeper Keeper => silo.Keeper!;

    /// <summary>NodeStageVolume.</summary>
    public async Task StageAsync(string volumeId)
    {
        var record = await GrainOf(volumeId).AuthorizeAsync(silo.Name, CancellationToken.None);
        var key = KeyOf(record);
        if (Keeper.IsLapsed)
        {
            await RenewAsync();
        }

        if (_machine.FencedFile.TryGetValue(volumeId, out var known) && known.Generation <= record.Generation)
        {
            if (known == key)
            {
                await _agent.LiftAsync(key);
            }
            else
            {
                _machine.FencedFile.Remove(volumeId);
                _agent.Confirmed.Remove(known);
            }
        }

        if (Keeper.MayAnnounce(volumeId))
        {
            await RenewAsync();
        }

        await silo.Process.Delay(cluster.Simulator.Between(0.01, 0.3));
        if (_machine.FencedFile.TryGetValue(volumeId, out known) && known.Generation >= record.Generation)
        {
            throw new StorageException(StorageErrorCode.FailedPrecondition, "It is fenced here.");
        }

        if (_machine.Disk.GetValueOrDefault(volumeId)?.Key != key)
        {
            throw new StorageException(StorageErrorCode.NotFound, "The disk does not have it.");
        }

        _machine.Staged[volumeId] = key;
        _staged[volumeId] = record;
    }

    /// <summary>NodePublishVolume: whoever has returned from it may begin to write.</summary>
    public async Task<DiskVolumeKey> PublishAsync(string volumeId, SimPod pod)
    {
        VolumeRecord record;
        try
        {
            record = await GrainOf(volumeId).AuthorizeAsync(silo.Name, CancellationToken.None);
        }
        catch (Exception exception) when (exception is StorageException { Code: StorageErrorCode.Unavailable } or TimeoutException or OrleansException)
        {
            record = _staged.GetValueOrDefault(volumeId) ?? throw new StorageException(StorageErrorCode.Unavailable, "It was not staged by this process.");
        }

        await GuardAsync(record, pod);
        var key = KeyOf(record);
        await silo.Process.Delay(cluster.Simulator.Between(0.005, 0.1));
        if (_machine.FencedFile.TryGetValue(volumeId, out var known) && known.Generation >= record.Generation)
        {
            throw new StorageException(StorageErrorCode.FailedPrecondition, "It is fenced here.");
        }

        return _machine.Staged.GetValueOrDefault(volumeId) == key ? key : throw new StorageException(StorageErrorCode.FailedPrecondition, "It is not staged.");
    }

    /// <summary>NodeUnstageVolume.</summary>
    public async Task UnstageAsync(string volumeId)
    {
        _staged.Remove(volumeId);
        _machine.Staged.Remove(volumeId);
        if (_machine.GuardedFile.Remove(volumeId, out var key))
        {
            Keeper.Wake();
            try
            {
                await WithinAsync(SimLeaseRules.GrainLimit, stop => GrainOf(volumeId).UnguardAsync(silo.Name, key.Generation, stop));
            }
            catch (Exception exception) when (exception is StorageException or TimeoutException or OrleansException)
            {
                // Its record goes on to say that it is guarded here, and the next pod that gets it here makes that true.
            }
        }
    }

    /// <summary>After a start: what was fenced is fenced again, what was guarded may have been given away, what is free and ours is lifted.</summary>
    public async Task WatchReturnsAsync()
    {
        await Task.WhenAll(_machine.FencedFile.Values.ToList().Select(key => TryAsync(stop => _agent.FenceAsync(key, stop))));
        while (true)
        {
            if (Keeper.IsRenewed)
            {
                await LookAsync();
            }

            await silo.Process.Delay(TimeSpan.FromSeconds(2));
        }
    }

    private async Task LookAsync()
    {
        foreach (var key in _inherited.ToList())
        {
            if (await TryAsync(async stop => _ = _machine.GuardedFile.GetValueOrDefault(key.VolumeId) != key || await IsOursAsync(key, stop)
                || await _agent.FenceAsync(key, stop)))
            {
                _inherited.Remove(key);
            }
        }

        foreach (var key in _machine.FencedFile.Values.Where(key => !_agent.Confirmed.Contains(key)).ToList())
        {
            await TryAsync(stop => _agent.FenceAsync(key, stop));
        }

        foreach (var key in _machine.FencedFile.Values.ToList())
        {
            if (_paces.TryGetValue(key.VolumeId, out var pace) && _machine.Elapsed < pace.Next)
            {
                continue;
            }

            var pause = pace.Pause == default ? SimLeaseRules.LiftInterval : pace.Pause * 2;
            pause = pause < SimLeaseRules.LiftInterval * 16 ? pause : SimLeaseRules.LiftInterval * 16;
            _paces[key.VolumeId] = (_machine.Elapsed + pause, pause);
            await TryAsync(async stop => _ = !_machine.IsUsed(key.VolumeId) && await IsOursAsync(key, stop) && await _agent.LiftAsync(key));
        }

        foreach (var gone in _paces.Keys.Where(v => !_machine.FencedFile.ContainsKey(v)).ToList())
        {
            _paces.Remove(gone);
        }
    }

    private async Task<bool> IsOursAsync(DiskVolumeKey key, CancellationToken stop)
    {
        try
        {
            return (await GrainOf(key.VolumeId).AuthorizeAsync(silo.Name, stop)).Generation == key.Generation;
        }
        catch (StorageException exception) when (exception.Code is StorageErrorCode.FailedPrecondition or StorageErrorCode.NotFound)
        {
            return false;
        }
    }

    private async Task GuardAsync(VolumeRecord record, SimPod pod)
    {
        var key = KeyOf(record);
        var isGuarded = _machine.GuardedFile.GetValueOrDefault(key.VolumeId) == key;
        if (!isGuarded)
        {
            if (!await IsWantedAsync(record, pod) || Keeper.IsLapsed)
            {
                return;
            }

            _machine.GuardedFile[key.VolumeId] = key;
            try
            {
                await RenewAsync();
            }
            catch (StorageException)
            {
                _machine.GuardedFile.Remove(key.VolumeId);
                return;
            }
        }

        try
        {
            await WithinAsync(SimLeaseRules.GrainLimit, stop => GrainOf(key.VolumeId).GuardAsync(silo.Name, key.Generation, stop));
        }
        catch (Exception exception) when (exception is StorageException { Code: StorageErrorCode.Unavailable } or TimeoutException or OrleansException)
        {
            // It may have heard all the same, so the word is kept.
        }
        catch (StorageException) when (!isGuarded)
        {
            _machine.GuardedFile.Remove(key.VolumeId);
            throw;
        }
    }

    private async Task<bool> IsWantedAsync(VolumeRecord record, SimPod pod)
    {
        if (record.Guard is { } guard && guard.NodeName == silo.Name && guard.Generation == record.Generation)
        {
            return true;
        }

        try
        {
            return await cluster.Network.AskApiAsync(silo.Process, () => pod.App.OptedIn, CancellationToken.None, SimLeaseRules.RequestTimeout);
        }
        catch (StorageException)
        {
            return false;
        }
    }

    private IVolumeGrain GrainOf(string volumeId) => silo.Factory.Get<IVolumeGrain>(volumeId);

    private Task RenewAsync() => WithinAsync(SimLeaseRules.RenewalLimit, Keeper.RenewNowAsync);

    private async Task WithinAsync(TimeSpan longest, Func<CancellationToken, Task> call)
    {
        using var limit = new CancellationTokenSource(longest, silo.Process.Time);
        try
        {
            await call(limit.Token).WaitAsync(limit.Token);
        }
        catch (OperationCanceledException exception)
        {
            throw new StorageException(StorageErrorCode.Unavailable, "There was no answer in time.", exception);
        }
    }

    private async Task<bool> TryAsync(Func<CancellationToken, Task> work)
    {
        try
        {
            await WithinAsync(SimLeaseRules.GrainLimit, work);
            return true;
        }
        catch (Exception exception) when (exception is not SimCrashException)
        {
            return false;
        }
    }

    private static DiskVolumeKey KeyOf(VolumeRecord record) => new(record.VolumeId, record.Pool, record.Generation);
}
