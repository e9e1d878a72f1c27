using Carina.Grains.Agents;
using Carina.Grains.Failover;
using Carina.Grains.Tests.Failover.Simulation.Cluster;
using Carina.Grains.Volumes;
using Microsoft.Extensions.Logging;

namespace Carina.Grains.Tests.Failover.Simulation;

// Where coordinators run, and when all is well again.
internal sealed partial class SimCluster
{
    private static readonly TimeSpan _calling = TimeSpan.FromSeconds(2);

    private readonly Dictionary<SimSilo, SimLeaseObserver> _observers = [];

    /// <summary>Where the coordinator runs, as far as silos agree on it.</summary>
    public SimSilo? Coordinator { get; private set; }

    /// <summary>Starts one more, wherever there is one already.</summary>
    public void StartCoordinator(SimSilo silo)
    {
        Simulator.Log($"a coordinator starts in {silo.Process.Name}");
        var coordinator = new FailoverCoordinator(
            new SimFailoverWorld(this, silo, _observers[silo]),
            silo.Volumes,
            Config,
            silo.Get<ICrashPoints>(),
            silo.Process.Time,
            silo.Get<ILoggerFactory>());
        silo.Process.Start(async () =>
        {
            while (true)
            {
                try
                {
                    await coordinator.TickAsync(CancellationToken.None);
                }
                catch (Exception exception) when (exception is not SimCrashException)
                {
                    Simulator.Fail($"A look at the nodes failed: {exception}");
                }

                await silo.Process.Delay(FailoverCoordinator.Interval);
            }
        });
    }

    public IReadOnlyList<SimSilo> ControllerSilos => [.. _silos.Values.Where(s => !s.IsNode && s.Process.IsAlive && s.View.Count > 0)];

    /// <summary>No move is under way, and every pod runs on all its volumes where they are.</summary>
    public bool IsCalm() => Unrest().Length == 0;

    /// <summary>What is not well yet; empty when all is.</summary>
    public string Unrest()
    {
        foreach (var record in Records)
        {
            if (record is not { State: VolumeState.Ready, Move: null })
            {
                return $"volume {record.VolumeId} is {record.State}, move {record.Move?.Phase}: {record.Move?.Problem}";
            }
        }

        if (Api.Requests.Count > 0)
        {
            return $"{Api.Requests.Values.First()} is not answered";
        }

        foreach (var app in Apps)
        {
            if (!Api.Pods.TryGetValue(app.Name, out var pod) || pod.IsDeleting || pod.NodeName.Length == 0)
            {
                return $"pod {app.Name} is on no node";
            }

            if (!MachineOf(pod.NodeName).Containers.TryGetValue(pod.Uid, out var container) || container.Dead.Count > 0 || !pod.HasRun)
            {
                return $"pod {app.Name} ({pod.Uid}) does not run on {pod.NodeName}";
            }

            foreach (var claim in app.Claims)
            {
                var record = RecordOf(claim);
                if (record.NodeName != pod.NodeName || !container.Volumes.Contains(new DiskVolumeKey(record.VolumeId, record.Pool, record.Generation)))
                {
                    return $"pod {app.Name} does not use volume {record.VolumeId} where it is";
                }
            }
        }

        return "";
    }

    private async Task KeepCoordinatorAsync(SimSilo silo)
    {
        var observer = _observers[silo] = new SimLeaseObserver(this, silo.Process);
        while (true)
        {
            if (Coordinator is not { } there || !silo.Sees(there))
            {
                Coordinator = silo;
                StartCoordinator(silo);
            }

            try
            {
                await observer.KeepWatchingAsync(CancellationToken.None);
            }
            catch (Errors.StorageException)
            {
                // It looks again.
            }

            await silo.Process.Delay(_calling);
        }
    }
}
