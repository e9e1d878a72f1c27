using Carina.Grains.Failover;
using Carina.Grains.Tests.Failover.Simulation.Cluster;

namespace Carina.Grains.Tests.Failover.Simulation;

/// <summary>A small cluster in which a test says what happens: pod <c>moves</c> opted in and has two volumes, pod <c>stays</c> did not.</summary>
internal sealed class MoveScenario
{
    public const string Pod = "moves";
    public const string Other = "stays";

    public MoveScenario(FailoverOptions? options = null, int seed = 1, SimMutation mutation = SimMutation.None, FailoverData data = FailoverData.Fresh)
    {
        Cluster = new(seed, new()
        {
            Nodes = 5,
            Apps = [SimShape.App(Pod, true, "a", "b") with { Data = data }, SimShape.App(Other, false, "c")],
            Failover = options ?? new() { Cooldown = TimeSpan.Zero },
            HasExactClocks = true,
            Mutation = mutation,
        });
        Cluster.Start();
        NoFailure();
        Home = Cluster.HolderOf("a");
    }

    public SimCluster Cluster { get; }

    /// <summary>Where the pod's volumes were at first.</summary>
    public SimMachine Home { get; }

    public SimApi Api => Cluster.Api;

    public bool HasMoved => Cluster.RecordOf("a").NodeName != Home.Name;

    /// <summary>Both volumes are on one node, and what they left is put aside.</summary>
    public bool IsTogether => Cluster.RecordOf("a").NodeName == Cluster.RecordOf("b").NodeName
        && Cluster.RecordOf("b").Retired.All(c => c.StoredAs.Length > 0);

    /// <summary>Both volumes at rest with this generation on one node, bound there, and the pod running on them.</summary>
    public bool IsAt(long generation) =>
        new[] { "a", "b" }.All(c => Cluster.RecordOf(c) is { Move: null } record
            && record.Generation == generation
            && record.NodeName == Cluster.RecordOf("a").NodeName
            && Api.PersistentVolumes[$"pv-{c}"].NodeName == record.NodeName)
        && Api.Pods.TryGetValue(Pod, out var pod)
        && Cluster.MachineOf(Cluster.RecordOf("a").NodeName).Containers.TryGetValue(pod.Uid, out var container)
        && container.Dead.Count == 0;

    public bool WasTold(string reason) => Cluster.Notices.Any(n => n.Reason == reason);

    public void Pass(double seconds)
    {
        Cluster.Simulator.RunFor(TimeSpan.FromSeconds(seconds));
        NoFailure();
    }

    public void Await(Func<bool> condition, double seconds, string what)
    {
        var held = Cluster.Simulator.RunUntil(condition, TimeSpan.FromSeconds(seconds));
        NoFailure();
        Assert.True(held, $"{what}\n{string.Join('\n', Cluster.Simulator.LogTail.TakeLast(60))}");
    }

    public void Return(SimMachine machine)
    {
        machine.PowerOn();
        Cluster.Boot(machine);
    }

    /// <summary>At the end everything is there once, and accounted for.</summary>
    public void IsClean() => Await(
        () => Cluster.Checks.FindLeak().Length + Cluster.Checks.FindMismatch().Length == 0,
        1200,
        "Not clean.");

    /// <summary>All other nodes have so much room left.</summary>
    public void LeaveRoom(long bytes)
    {
        foreach (var machine in Cluster.Machines.Where(m => m != Home))
        {
            machine.ForeignBytes += machine.FreeBytes - bytes;
        }

        // Until all nodes have reported it.
        Pass(35);
    }

    private void NoFailure() => Assert.Null(Cluster.Simulator.Failure);
}
