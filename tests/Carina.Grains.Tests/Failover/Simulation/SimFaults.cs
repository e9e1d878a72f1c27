using Carina.Grains.Tests.Failover.Simulation.Cluster;
using Carina.Grains.Tests.Failover.Simulation.Engine;

namespace Carina.Grains.Tests.Failover.Simulation;

/// <summary>What goes wrong in a run, and its end.</summary>
internal sealed class SimFaults(SimCluster cluster)
{
    private readonly Simulator _simulator = cluster.Simulator;
    private long _killAfter = -1;
    private double _crashes;
    private bool _isOver;

    private SimApi Api => cluster.Api;

    /// <summary>Draws what happens within the time.</summary>
    public void Plan(TimeSpan time)
    {
        cluster.CrashAt = (_, _, _) => _simulator.Chance(_crashes);
        _simulator.AfterStep += CountDown;
        var kinds = new List<Action>
        {
            () => OnMachine(PowerCut),
            () => OnMachine(PowerCut),
            () => OnMachine(StopKubelet),
            () => OnMachine(StopKubelet),
            () => OnMachine(KillSilo),
            () => OnMachine(StopSilo),
            () => OnMachine(Freeze),
            () => OnMachine(Cut),
            () => OnMachine(Cut),
            () => OnMachine(CutAndStop),
            () => OnMachine(DeleteNode),
            () => OnMachine(Cordon),
            () => OnMachine(Fill),
            () => OnMachine(Hang),
            KillCoordinator,
            KillCoordinator,
            StartCoordinator,
            StartCoordinator,
            Crash,
            Crash,
            FailRequests,
            StopApi,
        };
        var count = 2 + _simulator.Random.Next(6);
        for (var i = 0; i < count; i++)
        {
            var fault = _simulator.Pick(kinds);
            _simulator.After(_simulator.Between(0, time.TotalSeconds), () =>
            {
                if (!_isOver)
                {
                    fault();
                }
            });
        }
    }

    /// <summary>Everything is repaired.</summary>
    public void Heal()
    {
        _simulator.Log("all is repaired");
        (_isOver, _crashes, _killAfter) = (true, 0, -1);
        (cluster.Network.IsApiDown, cluster.Network.ApiFailures) = (false, 0);
        cluster.HangsUntil.Clear();
        foreach (var machine in cluster.Machines)
        {
            Reconnect(machine);
            machine.ForeignBytes = 0;
            machine.Thaw();
            Return(machine);
            cluster.ProcessOf(machine.Name)?.Process.Continue();
            if (Api.Nodes.TryGetValue(machine.Name, out var node))
            {
                node.IsCordoned = false;
                cluster.StartKubelet(machine);
            }
            else
            {
                cluster.RestartKubelet(machine);
            }
        }

        foreach (var controller in cluster.ControllerSilos)
        {
            controller.Process.Continue();
        }
    }

    private void OnMachine(Action<SimMachine> fault)
    {
        // Mostly where there is something to lose.
        var machine = _simulator.Chance(0.7) && cluster.Apps.Count > 0
            ? cluster.HolderOf(_simulator.Pick(_simulator.Pick(cluster.Apps).Claims))
            : _simulator.Pick(cluster.Machines);
        if (machine.IsRunning)
        {
            fault(machine);
        }
    }

    /// <summary>Undoes something later, or leaves that to the end.</summary>
    private void Later(Action undo)
    {
        if (_simulator.Chance(0.7))
        {
            _simulator.After(_simulator.Between(1, 130), () =>
            {
                if (!_isOver)
                {
                    undo();
                }
            });
        }
    }

    private void PowerCut(SimMachine machine)
    {
        machine.PowerOff();
        if (_simulator.Chance(0.3))
        {
            // An operator who has looked.
            _simulator.After(_simulator.Between(5, 60), () =>
            {
                if (!machine.IsOn && Api.Nodes.TryGetValue(machine.Name, out var node))
                {
                    _simulator.Log($"{machine.Name} is marked out of service");
                    node.IsOutOfService = true;
                }
            });
        }

        Later(() => Return(machine));
    }

    private void Return(SimMachine machine)
    {
        if (machine.IsOn)
        {
            return;
        }

        if (Api.Nodes.TryGetValue(machine.Name, out var node))
        {
            node.IsOutOfService = false;
        }

        machine.PowerOn();
        cluster.Boot(machine);
    }

    private void StopKubelet(SimMachine machine)
    {
        cluster.StopKubelet(machine);
        Later(() => StartKubelet(machine));
    }

    private void StartKubelet(SimMachine machine)
    {
        if (machine.IsRunning)
        {
            cluster.StartKubelet(machine);
        }
    }

    private void KillSilo(SimMachine machine)
    {
        if (_simulator.Chance(0.6))
        {
            // Nobody is there to start it anew.
            StopKubelet(machine);
        }

        cluster.ProcessOf(machine.Name)?.Process.Kill();
    }

    private void StopSilo(SimMachine machine)
    {
        if (_simulator.Chance(0.5))
        {
            StopKubelet(machine);
        }

        if (cluster.ProcessOf(machine.Name) is { } silo)
        {
            _simulator.Log($"{silo.Process.Name} is stopped");
            silo.Process.Stop();
            Later(() =>
            {
                _simulator.Log($"{silo.Process.Name} goes on");
                silo.Process.Continue();
            });
        }
    }

    private void Freeze(SimMachine machine)
    {
        machine.Freeze();
        Later(machine.Thaw);
    }

    private void Cut(SimMachine machine)
    {
        var api = _simulator.Random.Next(4);
        var peers = _simulator.Random.Next(4);
        (machine.CutToApi, machine.CutFromApi) = ((api & 1) != 0, (api & 2) != 0);
        (machine.CutToPeers, machine.CutFromPeers) = ((peers & 1) != 0, (peers & 2) != 0);
        _simulator.Log($"{machine.Name} is cut off: API {api}, peers {peers}");
        Later(() => Reconnect(machine));
    }

    private void CutAndStop(SimMachine machine)
    {
        (machine.CutToApi, machine.CutFromApi, machine.CutToPeers, machine.CutFromPeers) = (true, true, true, true);
        _simulator.Log($"{machine.Name} is cut off from all");
        Later(() => Reconnect(machine));
        if (_simulator.Chance(0.5))
        {
            StopSilo(machine);
        }
    }

    private void Reconnect(SimMachine machine)
    {
        if (machine.CutToApi || machine.CutFromApi || machine.CutToPeers || machine.CutFromPeers)
        {
            _simulator.Log($"{machine.Name} is connected again");
        }

        (machine.CutToApi, machine.CutFromApi, machine.CutToPeers, machine.CutFromPeers) = (false, false, false, false);
    }

    private void DeleteNode(SimMachine machine)
    {
        _simulator.Log($"Node {machine.Name} is deleted");
        Api.Nodes.Remove(machine.Name);
        if (_simulator.Chance(0.5))
        {
            PowerCut(machine);
        }
        else
        {
            Later(() =>
            {
                if (machine.IsRunning)
                {
                    cluster.RestartKubelet(machine);
                }
            });
        }
    }

    private void Cordon(SimMachine machine)
    {
        if (Api.Nodes.TryGetValue(machine.Name, out var node))
        {
            node.IsCordoned = true;
            Later(() => node.IsCordoned = false);
        }
    }

    private void Fill(SimMachine machine)
    {
        machine.ForeignBytes = Math.Max(0, machine.FreeBytes - _simulator.Random.Next(15));
        Later(() => machine.ForeignBytes = 0);
    }

    private void Hang(SimMachine machine)
    {
        _simulator.Log($"the agent of {machine.Name} hangs");
        cluster.HangsUntil[machine.Name] = _simulator.Now + _simulator.Between(5, 150);
    }

    private void KillCoordinator() => _killAfter = _simulator.Random.Next(3000);

    private void CountDown()
    {
        if (_killAfter >= 0 && _killAfter-- == 0)
        {
            cluster.Coordinator?.Process.Kill();
        }
    }

    private void StartCoordinator()
    {
        if (cluster.ControllerSilos is { Count: > 0 } silos)
        {
            cluster.StartCoordinator(_simulator.Pick(silos));
        }
    }

    private void Crash()
    {
        _crashes = _simulator.Between(0.02, 0.3).TotalSeconds;
        Later(() => _crashes = 0);
    }

    private void FailRequests()
    {
        cluster.Network.ApiFailures = _simulator.Between(0.005, 0.2).TotalSeconds;
        Later(() => cluster.Network.ApiFailures = 0);
    }

    private void StopApi()
    {
        _simulator.Log("the API server is away");
        cluster.Network.IsApiDown = true;
        _simulator.After(_simulator.Between(1, 40), () =>
        {
            _simulator.Log("the API server is back");
            cluster.Network.IsApiDown = false;
        });
    }
}
