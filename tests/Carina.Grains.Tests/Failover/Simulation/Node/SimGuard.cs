using Carina.Grains.Agents;
using Carina.Grains.Tests.Failover.Simulation.Cluster;
using Carina.Grains.Tests.Failover.Simulation.Engine;

namespace Carina.Grains.Tests.Failover.Simulation.Node;

/// <summary>The rules of FenceGuard (Silo/Fencing/Guard): cuts off what the silo promised, when its deadline has passed.</summary>
internal sealed class SimGuard(SimCluster cluster, SimMachine machine)
{
    private readonly SimProcess _process = new(cluster.Simulator, machine, $"guard of {machine.Name}");

    public void Start() => _process.Start(async () =>
    {
        while (true)
        {
            var pause = TimeSpan.FromSeconds(2);
            if (machine is { HasDeadline: true, Deadline.Guarded: true } && machine.GuardedFile.Count > 0)
            {
                // As for the silo: the real one looks every 250 ms.
                var left = machine.Deadline.At + SimLeaseRules.GuardGrace - machine.Elapsed;
                if (left > TimeSpan.Zero)
                {
                    pause = left < pause ? left : pause;
                }
                else
                {
                    await Task.WhenAll(machine.GuardedFile.Values.Where(key => !IsCut(key)).ToList().Select(FenceAsync));
                    pause = SimLeaseRules.RetryInterval;
                }
            }

            await _process.Delay(pause);
        }
    });

    private bool IsCut(DiskVolumeKey key) =>
        machine.FencedFile.GetValueOrDefault(key.VolumeId)?.Generation >= key.Generation
        && (machine.Cut.Contains(key) || machine.Disk.GetValueOrDefault(key.VolumeId)?.Key != key);

    private async Task FenceAsync(DiskVolumeKey key)
    {
        if (cluster.Mutation is SimMutation.NoGuardProcess or SimMutation.HolderGoesOn
            || (machine.Disk.TryGetValue(key.VolumeId, out var there) && there.Key != key))
        {
            return;
        }

        if (!machine.FencedFile.TryGetValue(key.VolumeId, out var known) || known.Generation < key.Generation)
        {
            machine.FencedFile[key.VolumeId] = key;
        }

        await _process.Delay(cluster.Simulator.Between(0.005, 0.3));
        machine.CutOff(key);
    }
}
