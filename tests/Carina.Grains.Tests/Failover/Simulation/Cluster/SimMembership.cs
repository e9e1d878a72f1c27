using Carina.Grains.Tests.Failover.Simulation.Engine;

namespace Carina.Grains.Tests.Failover.Simulation.Cluster;

/// <summary>
/// Orleans' membership in short: a silo that two others (or the only other) cannot reach is declared dead by them, in the
/// API server; each silo learns that when it gets there, and one that finds itself dead ends. Not the real one.
/// </summary>
internal sealed class SimMembership(Simulator simulator, SimNetwork network)
{
    private const int Votes = 2;

    /// <summary>Two activations of a grain in silos that see each other live on for so long at most.</summary>
    private const int DuplicateSeconds = 10;

    /// <summary>Time until one that is gone, or cut off, is declared dead.</summary>
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(7);

    /// <summary>The same for one whose machine accepts connections, but that does not answer.</summary>
    private static readonly TimeSpan _longPatience = TimeSpan.FromSeconds(30);

    private readonly Dictionary<SimSilo, TimeSpan> _silentSince = [];

    /// <summary>All silos that are not declared dead, in the order in which they joined.</summary>
    public IReadOnlyList<SimSilo> Active { get; private set; } = [];

    /// <summary>Every silo that there was, for the processes that still live.</summary>
    private readonly List<SimSilo> _all = [];

    public void Start() => simulator.Every(TimeSpan.FromSeconds(1), Look);

    /// <summary>Within a request of the silo.</summary>
    public bool Join(SimSilo silo)
    {
        // A second one of that name is the newer one.
        Active = [.. Active.Where(s => s.Name != silo.Name), silo];
        _all.Add(silo);
        silo.TakeView(Active);
        simulator.Log($"silo {silo.Process.Name} joins");
        return true;
    }

    private void Look()
    {
        var probers = Active.Where(s => s.Process.CanRun && network.HasApi(s.Process.Machine)).ToList();
        foreach (var silo in Active)
        {
            var others = probers.Where(p => p != silo).ToList();
            var missed = others.Count(p => !IsReached(p, silo));
            if (missed == 0 || missed < Math.Min(Votes, others.Count))
            {
                _silentSince.Remove(silo);
                continue;
            }

            _silentSince.TryAdd(silo, simulator.Now);
            var accepts = silo.Process is { IsAlive: true, CanRun: false } && silo.Process.Machine.IsRunning
                && others.All(p => SimNetwork.Reaches(p.Process.Machine, silo.Process.Machine) && SimNetwork.Reaches(silo.Process.Machine, p.Process.Machine));
            if (simulator.Now - _silentSince[silo] >= (accepts ? _longPatience : _patience))
            {
                simulator.Log($"silo {silo.Process.Name} is declared dead");
                Active = [.. Active.Where(s => s != silo)];
                _silentSince.Remove(silo);
            }
        }

        _all.RemoveAll(s => !s.Process.IsAlive);
        foreach (var silo in _all.Where(s => s.Process.CanRun && network.HasApi(s.Process.Machine)).ToList())
        {
            silo.TakeView(Active);
            if (simulator.Now.TotalSeconds % DuplicateSeconds < 1 && silo.Process.CanRun)
            {
                silo.Process.Start(() =>
                {
                    silo.Factory.EndDuplicates();
                    return Task.CompletedTask;
                });
            }
        }
    }

    private static bool IsReached(SimSilo prober, SimSilo silo) =>
        silo.Process.CanRun
        && SimNetwork.Reaches(prober.Process.Machine, silo.Process.Machine)
        && SimNetwork.Reaches(silo.Process.Machine, prober.Process.Machine);
}
