using Carina.Grains.Failover;

namespace Carina.Grains.Tests.Failover.Simulation;

/// <summary>What the coordinator does, and does not, in a cluster where one thing happens.</summary>
public sealed class MoveScenarioTests
{
    private static readonly FailoverOptions _atOnce = new() { Cooldown = TimeSpan.Zero };

    [Fact]
    public void A_node_without_power_loses_its_volumes_and_they_stay_where_they_are_when_it_is_back()
    {
        var scenario = new MoveScenario();
        scenario.Home.PowerOff();
        scenario.Await(() => scenario.IsAt(2), 120, "Not moved.");
        scenario.Return(scenario.Home);
        scenario.Pass(60);
        Assert.True(scenario.IsAt(2));
        scenario.IsClean();
    }

    [Fact]
    public void A_move_is_taken_back_when_the_node_returns_in_time()
    {
        var scenario = new MoveScenario();
        scenario.LeaveRoom(5);
        scenario.Home.PowerOff();
        scenario.Await(() => scenario.Cluster.RecordOf("a").Move is { Phase: MovePhase.Relocating, Problem.Length: > 0 }, 120, "Does not wait.");
        scenario.Return(scenario.Home);
        scenario.Await(() => scenario.IsAt(1), 120, "Not taken back.");
        Assert.False(scenario.HasMoved);
        Assert.True(scenario.WasTold(FailoverNames.Cancelled));
        scenario.IsClean();
    }

    [Fact]
    public void Nothing_is_moved_while_most_nodes_are_silent()
    {
        var scenario = new MoveScenario();
        foreach (var machine in scenario.Cluster.Machines.Where(m => m == scenario.Home || scenario.Cluster.Machines.IndexOf(m) < 3).ToList())
        {
            machine.PowerOff();
        }

        scenario.Pass(180);
        Assert.False(scenario.HasMoved);
        Assert.Null(scenario.Cluster.RecordOf("a").Move);
        Assert.True(scenario.WasTold(FailoverNames.Braked));
    }

    [Fact]
    public void A_dry_run_says_what_it_would_do()
    {
        var scenario = new MoveScenario(_atOnce with { DryRun = true });
        scenario.Home.PowerOff();
        scenario.Pass(120);
        Assert.Null(scenario.Cluster.RecordOf("a").Move);
        Assert.True(scenario.WasTold(FailoverNames.DryRun));
        scenario.Cluster.Options = _atOnce;
        scenario.Await(() => scenario.IsAt(2), 60, "Not moved.");
    }

    [Fact]
    public void Nothing_is_begun_while_it_is_switched_off()
    {
        var scenario = new MoveScenario(_atOnce with { Enabled = false });
        scenario.Home.PowerOff();
        scenario.Pass(120);
        Assert.Null(scenario.Cluster.RecordOf("a").Move);
        Assert.True(scenario.WasTold(FailoverNames.Skipped));
        scenario.Cluster.Options = _atOnce;
        scenario.Await(() => scenario.IsAt(2), 60, "Not moved.");
    }

    [Fact]
    public void What_has_just_been_moved_is_not_moved_again()
    {
        var scenario = new MoveScenario(new() { Cooldown = TimeSpan.FromMinutes(10) });
        scenario.Home.PowerOff();
        scenario.Await(() => scenario.IsAt(2), 120, "Not moved.");
        scenario.Cluster.HolderOf("a").PowerOff();
        scenario.Pass(240);
        Assert.Null(scenario.Cluster.RecordOf("a").Move);
        Assert.True(scenario.WasTold(FailoverNames.Skipped));
        scenario.Await(() => scenario.IsAt(3), 400, "Not moved again.");
    }

    [Fact]
    public void A_cordoned_node_keeps_its_volumes_unless_it_is_out_of_service()
    {
        var scenario = new MoveScenario();
        scenario.Api.Nodes[scenario.Home.Name].IsCordoned = true;
        scenario.Home.PowerOff();
        scenario.Pass(120);
        Assert.Null(scenario.Cluster.RecordOf("a").Move);
        Assert.True(scenario.WasTold(FailoverNames.Skipped));
        scenario.Api.Nodes[scenario.Home.Name].IsOutOfService = true;
        scenario.Await(() => scenario.IsAt(2), 30, "Not moved.");
    }

    [Fact]
    public void An_operator_s_word_that_a_machine_is_off_is_not_waited_for()
    {
        var scenario = new MoveScenario();
        scenario.Home.PowerOff();
        scenario.Api.Nodes[scenario.Home.Name].IsOutOfService = true;
        scenario.Await(() => scenario.IsAt(2), 15, "Not moved before its lease could have lapsed.");
        Assert.Contains("out of service", scenario.Cluster.RecordOf("a").History.Single(h => h.What.Contains("cannot write", StringComparison.Ordinal)).What, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_a_deleted_node_the_opted_in_volumes_are_moved()
    {
        var scenario = new MoveScenario();
        scenario.Home.PowerOff();
        scenario.Api.Nodes.Remove(scenario.Home.Name);
        scenario.Await(() => scenario.IsAt(2), 60, "Not moved.");
    }

    [Fact]
    public void Of_a_deleted_node_the_other_volumes_are_reported_lost()
    {
        var scenario = new MoveScenario();
        var machine = scenario.Cluster.HolderOf("c");
        machine.PowerOff();
        scenario.Api.Nodes.Remove(machine.Name);
        scenario.Await(() => scenario.WasTold(FailoverNames.Lost), 60, "Not said.");
        scenario.Pass(120);
        Assert.Equal((machine.Name, 1L), (scenario.Cluster.RecordOf("c").NodeName, scenario.Cluster.RecordOf("c").Generation));
        Assert.Null(scenario.Cluster.RecordOf("c").Move);
    }

    [Fact]
    public void A_node_whose_kubelet_alone_stopped_is_fenced_by_its_agent()
    {
        var scenario = new MoveScenario();
        scenario.Cluster.StopKubelet(scenario.Home);
        scenario.Await(() => scenario.IsAt(2), 90, "Not moved.");
        Assert.Contains(scenario.Cluster.RecordOf("a").History, h => h.What.Contains("its agent has cut it off", StringComparison.Ordinal));
        Assert.All(scenario.Home.Containers.Values.SelectMany(c => c.Volumes.Except(c.Dead)), v => Assert.Equal(SimCluster.VolumeOf("c"), v.VolumeId));
    }

    [Fact]
    public void Volumes_of_one_pod_are_moved_together_or_not_at_all()
    {
        var scenario = new MoveScenario();
        scenario.LeaveRoom(SimCluster.VolumeBytes * 3 / 2);
        scenario.Home.PowerOff();
        scenario.Pass(150);
        Assert.All(new[] { "a", "b" }, c => Assert.Equal(scenario.Home.Name, scenario.Cluster.RecordOf(c).NodeName));
        Assert.True(scenario.WasTold(FailoverNames.Waiting));
        Assert.DoesNotContain(scenario.Cluster.Machines.Where(m => m != scenario.Home), m => m.Disk.ContainsKey(SimCluster.VolumeOf("a")));
        scenario.Cluster.Machines.First(m => m != scenario.Home).ForeignBytes = 0;
        scenario.Await(() => scenario.IsAt(2), 120, "Not moved.");
        scenario.Return(scenario.Home);
        scenario.IsClean();
    }
}
