using Carina.Grains.Failover;
using Carina.Grains.Tests.Failover.Simulation.Cluster;

namespace Carina.Grains.Tests.Failover.Simulation;

/// <summary>One seed: a cluster, what goes wrong in it, and what has to be true in the end.</summary>
internal sealed class SimRun(int seed, SimMutation mutation = SimMutation.None, bool isVerbose = false)
{
    private const int LargeEvery = 200;
    private const int LargeNodes = 50;

    private static readonly TimeSpan _recovery = TimeSpan.FromMinutes(15);

    // An unconfirmed promise holds for eight minutes, and fences are looked at more and more rarely.
    private static readonly TimeSpan _settling = TimeSpan.FromMinutes(20);

    public SimCluster Cluster { get; } = new(seed, Shape(seed, mutation, isVerbose));

    /// <summary>What was wrong; null when nothing was.</summary>
    public string? Run()
    {
        var simulator = Cluster.Simulator;
        Cluster.Start();
        if (simulator.Failure is not null)
        {
            return simulator.Failure;
        }

        var faults = new SimFaults(Cluster);
        var operators = HasOperators(seed) ? new SimOperators(Cluster, new Random(seed)) : null;
        var time = simulator.Between(20, 150) + (operators is null ? TimeSpan.Zero : TimeSpan.FromSeconds(60));
        faults.Plan(time);
        operators?.Plan(time);
        simulator.RunFor(time + simulator.Between(0, 60));
        faults.Heal();
        operators?.End();
        if (operators is not null)
        {
            simulator.Every(TimeSpan.FromMinutes(2), operators.Reunite);
        }

        AwaitCalm("all was repaired");
        if (operators is not null && simulator.Failure is null)
        {
            operators.AskOnceMore();
            AwaitCalm("the last request");
        }

        if (!simulator.RunUntil(() => Cluster.Checks.FindLeak().Length == 0, _settling) && simulator.Failure is null)
        {
            simulator.Fail($"Capacity is lost: {Cluster.Checks.FindLeak()}");
        }

        if (simulator.Failure is null && Cluster.Checks.FindMismatch() is { Length: > 0 } mismatch)
        {
            simulator.Fail(mismatch);
        }

        return simulator.Failure;
    }

    /// <summary>Every other seed; what happens in the others does not depend on these.</summary>
    private static bool HasOperators(int seed) => seed % 2 == 1;

    private void AwaitCalm(string since)
    {
        if (!Cluster.Simulator.RunUntil(Cluster.IsCalm, _recovery) && Cluster.Simulator.Failure is null)
        {
            Cluster.Simulator.Fail($"Not all is well {_recovery.TotalMinutes:0} minutes after {since}: {Cluster.Unrest()}");
        }
    }

    private static SimShape Shape(int seed, SimMutation mutation, bool isVerbose)
    {
        var random = new Random(seed);
        var nodes = seed % LargeEvery == LargeEvery - 1 ? LargeNodes : 3 + random.Next(4);
        var apps = new List<SimApp>();
        var count = Math.Min(12, 2 + random.Next(nodes));
        for (var i = 0; i < count; i++)
        {
            List<string> claims = [.. Enumerable.Range(0, 1 + (random.Next(3) / 2) + random.Next(2)).Select(c => $"data-{i}-{c}")];
            if (i > 0 && random.Next(6) == 0)
            {
                // Together with the one before.
                claims.Add(apps[i - 1].Claims[0]);
            }

            apps.Add(SimShape.App($"app-{i}", random.Next(5) > 0, [.. claims]));
        }

        var choices = new Random(seed);
        if (HasOperators(seed))
        {
            apps = [.. apps.Select(a => a with { Data = (FailoverData)choices.Next(3) })];
        }

        return new()
        {
            Nodes = nodes,
            Apps = apps,
            Mutation = mutation,
            IsVerbose = isVerbose,
            Failover = new()
            {
                CopyRetention = HasOperators(seed) && choices.Next(4) == 0 ? TimeSpan.FromSeconds(90 + choices.Next(120)) : null,
                Cooldown = TimeSpan.FromSeconds(random.Next(3) * 30),
                SkipCordonedNodes = random.Next(4) > 0,
                MaxLostNodesPercent = random.Next(4) == 0 ? 34 : 50,
            },
        };
    }
}
