using Carina.Grains.Failover;
using Carina.Grains.Tests.Failover.Simulation.Cluster;

namespace Carina.Grains.Tests.Failover.Simulation;

/// <summary>As <see cref="MoveCrashPointTests"/>, for moves on purpose and for copies that become the volume again.</summary>
public sealed class CopyCrashPointTests
{
    private const int Seeds = 2;

    [Theory]
    [InlineData("move.begun")]
    [InlineData("move.reserved")]
    [InlineData("move.recorded")]
    [InlineData("move.on-disk")]
    [InlineData("move.confirmed")]
    [InlineData("move.made")]
    [InlineData("move.prepared")]
    [InlineData("move.fenced")]
    [InlineData("move.copied")]
    [InlineData("move.relocated")]
    [InlineData("move.rehomed")]
    [InlineData("move.released")]
    [InlineData("move.done")]
    [InlineData("copy.renamed")]
    [InlineData("copy.accounted")]
    [InlineData("copy.aside")]
    public void A_planned_move_takes_along_what_the_volumes_hold(string point)
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            var scenario = new MoveScenario(seed: seed);
            var deaths = Die(scenario, point);
            Ask(scenario, VolumeRequestKind.Move, FailoverNames.AnyNode);
            IsDone(scenario, r => r.NodeName != scenario.Home.Name && IsAside(r, scenario.Home.Name, 1));
            Assert.Equal((1, 2), (deaths(), scenario.Cluster.Checks.Contents.Count.Copies));
            scenario.IsClean();
        }
    }

    [Theory]
    [InlineData("move.begun", false)]
    [InlineData("move.prepared", false)]
    [InlineData("move.restore-placed", false)]
    [InlineData("move.restore-named", false)]
    [InlineData("move.restore-accounted", false)]
    [InlineData("move.restored", false)]
    [InlineData("move.relocated", false)]
    [InlineData("copy.renamed", false)]
    [InlineData("copy.renamed", true)]
    [InlineData("copy.accounted", true)]
    [InlineData("move.restore-named", true)]
    [InlineData("move.restored", true)]
    [InlineData("move.done", true)]
    public void A_copy_becomes_the_volume_again(string point, bool onOwnNode)
    {
        for (var seed = 0; seed < Seeds; seed++)
        {
            var scenario = new MoveScenario(seed: seed);
            Ask(scenario, VolumeRequestKind.Move, FailoverNames.AnyNode);
            IsDone(scenario, r => r.NodeName != scenario.Home.Name && IsAside(r, scenario.Home.Name, 1));
            const long generation = 1;
            if (onOwnNode)
            {
                // Back, so that both are on the first node.
                Ask(scenario, VolumeRequestKind.Move, scenario.Home.Name);
                IsDone(scenario, r => r.NodeName == scenario.Home.Name && r.Retired.All(c => c.StoredAs.Length > 0));
            }

            scenario.Pass(5);
            var deaths = Die(scenario, point);
            Ask(scenario, VolumeRequestKind.Restore, $"{scenario.Home.Name}/{generation}");
            scenario.Await(() => scenario.Cluster.Checks.Contents.Count.Restores == 1, 300, $"Not restored, seed {seed}.");
            IsDone(scenario, r => r.NodeName == scenario.Home.Name && r.Retired.All(c => c.StoredAs.Length > 0));
            Assert.Equal(1, deaths());
            Assert.DoesNotContain(scenario.Cluster.RecordOf("a").Retired, c => c.NodeName == scenario.Home.Name && c.Generation == generation);
            scenario.IsClean();
        }
    }

    [Theory]
    [InlineData(nameof(SimMutation.None))]
    [InlineData(nameof(SimMutation.CopiedIsKept))]
    public void What_was_copied_to_a_node_that_was_lost_is_copied_again(string mutation)
    {
        var isBroken = mutation != nameof(SimMutation.None);
        var scenario = new MoveScenario(mutation: Enum.Parse<SimMutation>(mutation));
        var deaths = 0;
        scenario.Cluster.CrashAt = (_, reached, volume) =>
        {
            if (reached != "move.copied" || deaths++ > 0)
            {
                return false;
            }

            // The node that it was copied to, too.
            var target = scenario.Cluster.Api.Volumes.Records[volume].Value.Move!.Target!.NodeName;
            scenario.Cluster.Simulator.After(TimeSpan.Zero, scenario.Cluster.MachineOf(target).PowerOff);
            return true;
        };
        scenario.Cluster.Ask(SimCluster.VolumeOf("a"), VolumeRequestKind.Move, FailoverNames.AnyNode);
        var simulator = scenario.Cluster.Simulator;
        simulator.RunUntil(() => scenario.HasMoved && scenario.IsAt(scenario.Cluster.RecordOf("a").Generation), TimeSpan.FromSeconds(400));
        Assert.True(deaths > 0);
        if (isBroken)
        {
            Assert.Contains("Data is lost", simulator.Failure, StringComparison.Ordinal);
        }
        else
        {
            Assert.Null(simulator.Failure);
            Assert.True(scenario.HasMoved);
        }
    }

    /// <summary>The operator errs, the machine is on: no fence was set, so nothing that is copied would be exact.</summary>
    [Theory]
    [InlineData(nameof(SimMutation.None))]
    [InlineData(nameof(SimMutation.CopiesWithoutFence))]
    public void What_is_not_cut_off_is_not_copied_for_the_last_time(string mutation)
    {
        var scenario = new MoveScenario(mutation: Enum.Parse<SimMutation>(mutation), data: FailoverData.Copy);
        scenario.Cluster.StopKubelet(scenario.Home);
        scenario.Api.Nodes[scenario.Home.Name].IsOutOfService = true;
        scenario.Cluster.Simulator.RunFor(TimeSpan.FromSeconds(90));
        if (mutation == nameof(SimMutation.None))
        {
            Assert.Null(scenario.Cluster.Simulator.Failure);
            Assert.False(scenario.HasMoved);
        }
        else
        {
            Assert.Contains("can write to it", scenario.Cluster.Simulator.Failure, StringComparison.Ordinal);
        }
    }

    private static Func<int> Die(MoveScenario scenario, string point)
    {
        var deaths = 0;
        scenario.Cluster.CrashAt = (_, reached, _) => reached == point && deaths == 0 && ++deaths == 1;
        return () => deaths;
    }

    private static void Ask(MoveScenario scenario, VolumeRequestKind kind, string value) =>
        scenario.Cluster.Ask(SimCluster.VolumeOf("a"), kind, value);

    private static void IsDone(MoveScenario scenario, Func<Volumes.VolumeRecord, bool> condition) => scenario.Await(
        () => scenario.Cluster.IsCalm() && condition(scenario.Cluster.RecordOf("a")) && scenario.IsTogether, 400, "Not done.");

    private static bool IsAside(Volumes.VolumeRecord record, string node, long generation) =>
        record.Retired.Any(c => c.NodeName == node && c.Generation == generation && c.StoredAs.Length > 0);
}
