using Carina.Grains.Failover;
using Carina.Grains.Tests.Failover.Simulation.Cluster;
using Carina.Grains.Tests.Failover.Simulation.Engine;

namespace Carina.Grains.Tests.Failover.Simulation;

/// <summary>What operators want in a run, whether it makes sense just then or not.</summary>
internal sealed class SimOperators(SimCluster cluster, Random random)
{
    private readonly Simulator _simulator = cluster.Simulator;
    private bool _isOver;

    private SimApi Api => cluster.Api;

    /// <summary>Draws what they ask for within the time.</summary>
    public void Plan(TimeSpan time)
    {
        cluster.CopyFailures = random.Next(2) * 0.03;
        List<Action> kinds = [Move, Move, Move, Move, Restore, Restore, Restore, Discard, Cancel, Cancel, Evacuate, Protect];
        var count = 2 + random.Next(7);
        for (var i = 0; i < count; i++)
        {
            var what = kinds[random.Next(kinds.Count)];
            _simulator.After(Within(0, time.TotalSeconds), () =>
            {
                if (!_isOver)
                {
                    what();
                }
            });
        }
    }

    /// <summary>They want nothing more.</summary>
    public void End()
    {
        _isOver = true;
        cluster.CopyFailures = 0;
        Api.Protected.Clear();
        foreach (var node in Api.Nodes.Values)
        {
            node.IsEvacuated = false;
        }
    }

    public void AskOnceMore() => (random.Next(3) == 0 ? (Action)Move : Restore)();

    /// <summary>
    /// Volumes of one pod are brought together again: while it ends on an earlier node that is silent, nobody can tell that
    /// they belong together, and a move takes one of them alone.
    /// </summary>
    public void Reunite()
    {
        foreach (var app in cluster.Apps)
        {
            var records = app.Claims.Select(cluster.RecordOf).ToList();
            if (records.All(r => r.Move is null) && records.FirstOrDefault(r => r.NodeName != records[0].NodeName) is { } apart)
            {
                cluster.Ask(apart.VolumeId, VolumeRequestKind.Move, records[0].NodeName);
            }
        }
    }

    private void Move()
    {
        var to = random.Next(2) == 0 ? FailoverNames.AnyNode : cluster.Machines[random.Next(cluster.Machines.Count)].Name;
        cluster.Ask(PickVolume(), VolumeRequestKind.Move, to);
    }

    private void Restore() => OnCopy((volume, copy) => cluster.Ask(volume, VolumeRequestKind.Restore, copy));

    private void Discard() => OnCopy((volume, copy) => cluster.Ask(volume, VolumeRequestKind.Discard, copy));

    private void Cancel()
    {
        var moving = cluster.Records.Where(r => r.Move is not null).Select(r => r.VolumeId).ToList();
        cluster.Ask(moving.Count > 0 ? moving[random.Next(moving.Count)] : PickVolume(), VolumeRequestKind.Cancel, "true");
    }

    private void Evacuate()
    {
        var node = cluster.RecordOf(PickClaim()).NodeName;
        if (Api.Nodes.TryGetValue(node, out var found))
        {
            _simulator.Log($"{node} is to be evacuated");
            cluster.Checks.Contents.Evacuate(node);
            found.IsEvacuated = true;
            _simulator.After(Within(5, 90), () => found.IsEvacuated = false);
        }
    }

    /// <summary>A budget that allows no eviction for a while.</summary>
    private void Protect()
    {
        var app = cluster.Apps[random.Next(cluster.Apps.Count)].Name;
        Api.Protected.Add(app);
        _simulator.After(Within(5, 90), () => Api.Protected.Remove(app));
    }

    private void OnCopy(Action<string, string> act)
    {
        List<(string Volume, RetiredCopy Copy)> copies = [.. cluster.Records.SelectMany(r => r.Retired.Select(c => (r.VolumeId, c)))];
        if (copies.Count == 0)
        {
            Move();
            return;
        }

        var (volume, copy) = copies[random.Next(copies.Count)];

        // Now and then one that never was.
        act(volume, $"{copy.NodeName}/{copy.Generation + (random.Next(10) == 0 ? 1 : 0)}");
    }

    private string PickClaim()
    {
        var app = cluster.Apps[random.Next(cluster.Apps.Count)];
        return app.Claims[random.Next(app.Claims.Count)];
    }

    private string PickVolume() => SimCluster.VolumeOf(PickClaim());

    private TimeSpan Within(double from, double to) => TimeSpan.FromSeconds(from + (random.NextDouble() * (to - from)));
}
