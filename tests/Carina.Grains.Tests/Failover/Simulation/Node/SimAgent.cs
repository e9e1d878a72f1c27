using Carina.Grains.Agents;
using Carina.Grains.Configuration;
using Carina.Grains.Errors;
using Carina.Grains.Nodes;
using Carina.Grains.Tests.Failover.Simulation.Cluster;

namespace Carina.Grains.Tests.Failover.Simulation.Node;

/// <summary>
/// The node's agent: commands for its pool one after the other, refused for older generations and fenced volumes, and
/// reports to the node's ledger. It may be slow, or hang.
/// </summary>
internal sealed class SimAgent(SimCluster cluster, SimMachine machine, Func<SimSilo> self)
{
    private static readonly TimeSpan _reportInterval = TimeSpan.FromSeconds(30);

    private SimCopier? _copier;
    private readonly Dictionary<string, int> _inFlight = [];
    private readonly Dictionary<string, Task> _fencing = [];
    private Task _last = Task.CompletedTask;
    private long _sequence;

    private SimSilo Silo => self();

    public SimCopier Copier => _copier ??= new(cluster, machine, this, self);

    /// <summary>Volumes that this process has seen to be cut off.</summary>
    public HashSet<DiskVolumeKey> Confirmed { get; } = [];

    /// <summary>Called when that changes.</summary>
    public Action FencesChanged { get; set; } = () => { };

    public Task<DiskVolume> CreateAsync(DiskVolumeKey key, long bytes, CancellationToken stop) => RunAsync(key, isDelete: false, () =>
    {
        if (machine.Disk.TryGetValue(key.VolumeId, out var there))
        {
            return there.Key == key ? there : throw Refusal($"the disk has generation {there.Key.Generation}");
        }

        if (machine.FreeBytes < bytes)
        {
            throw new StorageException(StorageErrorCode.ResourceExhausted, $"Pool of {machine.Name} is full.");
        }

        var made = new DiskVolume { Key = key, Bytes = bytes, DevicePath = $"/dev/{key.Pool}/{key.VolumeId}" };
        machine.Disk.Add(key.VolumeId, made);
        machine.Contents[key.VolumeId] = new(key.Generation);
        cluster.Simulator.Log($"{machine.Name} makes {key.VolumeId}#{key.Generation}");
        return made;
    }, stop);

    public Task<DiskVolume> RenameAsync(DiskVolumeKey from, DiskVolumeKey to, CancellationToken stop) => RunAsync(from, isDelete: true, () =>
    {
        if (machine.Disk.TryGetValue(from.VolumeId, out var there) && there.Key == from)
        {
            if (machine.IsUsed(from.VolumeId) || machine.Disk.ContainsKey(to.VolumeId))
            {
                throw Refusal("it is in use, or the new handle is taken");
            }

            Move(there, to);
            cluster.Simulator.Log($"{machine.Name} keeps {from.VolumeId}#{from.Generation} as {to.VolumeId}#{to.Generation}");
        }

        if (machine.FencedFile.GetValueOrDefault(from.VolumeId) == from)
        {
            machine.FencedFile.Remove(from.VolumeId);
        }

        return machine.Disk.TryGetValue(to.VolumeId, out var renamed) && renamed.Key == to ? renamed : throw Refusal("it is not there");
    }, stop);

    public Task<DiskVolume> ExpandAsync(DiskVolumeKey key, long bytes, CancellationToken stop) => RunAsync(key, isDelete: false, () =>
    {
        var there = machine.Disk.GetValueOrDefault(key.VolumeId);
        if (there?.Key != key || machine.FreeBytes + there.Bytes < bytes)
        {
            throw Refusal("it is not there, or has no room");
        }

        return machine.Disk[key.VolumeId] = there with { Bytes = Math.Max(bytes, there.Bytes) };
    }, stop);

    public Task<bool> DeleteAsync(DiskVolumeKey key, CancellationToken stop) => RunAsync(key, isDelete: true, () =>
    {
        if (cluster.Mutation != SimMutation.DeletesAreForgotten && machine.Disk.TryGetValue(key.VolumeId, out var there) && there.Key == key)
        {
            if (machine.IsUsed(key.VolumeId))
            {
                throw Refusal("it is in use");
            }

            cluster.Checks.Contents.Delete(machine, key);
            machine.Disk.Remove(key.VolumeId);
            machine.Contents.Remove(key.VolumeId);
            cluster.Simulator.Log($"{machine.Name} removes {key.VolumeId}#{key.Generation}");
        }

        if (machine.FencedFile.GetValueOrDefault(key.VolumeId) == key)
        {
            machine.FencedFile.Remove(key.VolumeId);
        }

        return true;
    }, stop);

    /// <summary>Refuses first, then cuts off, then says so. Excludes a lift.</summary>
    public Task<bool> FenceAsync(DiskVolumeKey key, CancellationToken stop) => InTurnAsync(key, () => CutOffAsync(key, stop));

    /// <summary>Only what nothing uses gets its storage back.</summary>
    public Task<bool> LiftAsync(DiskVolumeKey key) => InTurnAsync(key, () => LetBackAsync(key));

    private async Task<bool> InTurnAsync(DiskVolumeKey key, Func<Task<bool>> work)
    {
        var before = _fencing.GetValueOrDefault(key.VolumeId, Task.CompletedTask);
        var turn = new TaskCompletionSource();
        _fencing[key.VolumeId] = turn.Task;
        try
        {
            await before;
            return await work();
        }
        finally
        {
            turn.SetResult();
        }
    }

    private async Task<bool> CutOffAsync(DiskVolumeKey key, CancellationToken stop)
    {
        if (machine.Disk.TryGetValue(key.VolumeId, out var there) && there.Key != key)
        {
            throw Refusal($"the disk has generation {there.Key.Generation}");
        }

        if (!machine.FencedFile.TryGetValue(key.VolumeId, out var known) || known.Generation < key.Generation)
        {
            machine.FencedFile[key.VolumeId] = key;
        }

        await WaitAsync(cluster.Simulator.Between(0.005, 0.3), stop);
        if (cluster.Mutation is not (SimMutation.FenceDoesNothing or SimMutation.HolderGoesOn))
        {
            machine.CutOff(key);
        }

        Confirmed.Add(key);
        FencesChanged();
        return true;
    }

    private async Task<bool> LetBackAsync(DiskVolumeKey key)
    {
        if (!machine.FencedFile.TryGetValue(key.VolumeId, out var known))
        {
            return true;
        }

        if (known != key || machine.IsUsed(key.VolumeId))
        {
            throw Refusal("another generation is fenced, or what is dead of it is held");
        }

        await Silo.Process.Delay(cluster.Simulator.Between(0.005, 0.2));
        if (machine.IsUsed(key.VolumeId))
        {
            throw Refusal("what is dead of it is held");
        }

        machine.Cut.Remove(key);
        machine.FencedFile.Remove(key.VolumeId);
        Confirmed.Remove(key);
        cluster.Simulator.Log($"{machine.Name} lifts the fence of {key.VolumeId}#{key.Generation}");
        FencesChanged();
        return true;
    }

    private void Move(DiskVolume volume, DiskVolumeKey to)
    {
        var isAside = to.VolumeId.Contains(Carina.Grains.Failover.RetiredCopyId.Mark, StringComparison.Ordinal);
        machine.Disk.Remove(volume.Key.VolumeId);
        machine.Contents.Remove(volume.Key.VolumeId, out var content);
        machine.Disk.Add(to.VolumeId, volume with { Key = to });
        machine.Contents[to.VolumeId] = isAside && cluster.Mutation == SimMutation.CopiesAreRemoved ? new(0) : content!;

        // Its device was closed; nothing that is opened from now on is cut off.
        machine.Cut.Remove(volume.Key);
        Confirmed.Remove(volume.Key);
    }

    /// <summary>Tells the ledger what the disk has, now and then.</summary>
    public async Task ReportAsync()
    {
        while (true)
        {
            try
            {
                await Silo.Factory.Get<INodeGrain>(machine.Name).ReportAsync(ToReport(), CancellationToken.None);
                await Silo.Process.Delay(_reportInterval);
            }
            catch (Exception exception) when (exception is not SimCrashException)
            {
                await Silo.Process.Delay(TimeSpan.FromSeconds(1));
            }
        }
    }

    private NodeReport ToReport() => new()
    {
        NodeName = machine.Name,
        Incarnation = Silo.Incarnation,
        Sequence = ++_sequence,
        InFlight = [.. _inFlight.Keys.Order(StringComparer.Ordinal)],
        Labels = new() { [CarinaNames.TopologyKey] = machine.Name },
        Pools =
        [
            new()
            {
                Name = SimMachine.Pool,
                Policy = PoolPolicy.Lvm,
                SizeBytes = machine.DiskBytes,
                ForeignBytes = machine.ForeignBytes,
                ReserveBytes = 0,
                GranularityBytes = 1,
                Volumes = [.. machine.Disk.Values],
            },
        ],
    };

    private async Task<T> RunAsync<T>(DiskVolumeKey key, bool isDelete, Func<T> work, CancellationToken stop)
    {
        _inFlight[key.VolumeId] = _inFlight.GetValueOrDefault(key.VolumeId) + 1;
        var before = _last;
        var turn = new TaskCompletionSource();
        _last = turn.Task;
        try
        {
            await before;
            stop.ThrowIfCancellationRequested();
            if (machine.Disk.TryGetValue(key.VolumeId, out var there) && there.Key.Generation > key.Generation)
            {
                throw Refusal($"the disk has generation {there.Key.Generation} already");
            }

            if (!isDelete && machine.FencedFile.TryGetValue(key.VolumeId, out var fenced) && fenced.Generation >= key.Generation)
            {
                throw Refusal("it is fenced here");
            }

            // Once begun it runs to its end, whoever still listens.
            var hang = cluster.HangsUntil.GetValueOrDefault(machine.Name) - cluster.Simulator.Now;
            await Silo.Process.Delay((hang > TimeSpan.Zero ? hang : TimeSpan.Zero) + cluster.Simulator.Between(0.02, 0.8));
            return work();
        }
        finally
        {
            turn.SetResult();
            if (--_inFlight[key.VolumeId] == 0)
            {
                _inFlight.Remove(key.VolumeId);
            }
        }
    }

    private Task WaitAsync(TimeSpan time, CancellationToken stop) => Task.Delay(time, Silo.Process.Time, stop);

    private StorageException Refusal(string why) => new(StorageErrorCode.FailedPrecondition, $"{machine.Name} refuses: {why}.");
}
