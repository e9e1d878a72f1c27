namespace Carina.Grains.Tests.Failover.Simulation;

/// <summary>Whoever drives a move may die at any step: another one finishes it, with the same result.</summary>
public sealed class MoveCrashPointTests
{
    [Theory]
    [InlineData("move.begun")]
    [InlineData("move.fenced")]
    [InlineData("move.reserved")]
    [InlineData("move.recorded")]
    [InlineData("move.on-disk")]
    [InlineData("move.confirmed")]
    [InlineData("move.made")]
    [InlineData("move.relocated")]
    [InlineData("move.rehomed")]
    [InlineData("move.released")]
    [InlineData("move.done")]
    public void Another_coordinator_finishes_what_one_left(string point)
    {
        for (var seed = 0; seed < 5; seed++)
        {
            var scenario = new MoveScenario(seed: seed);
            var deaths = 0;
            scenario.Cluster.CrashAt = (_, reached, _) => reached == point && deaths++ == 0;
            var claims = scenario.Api.Claims.Values.Select(c => c.Uid).ToList();
            scenario.Home.PowerOff();
            scenario.Await(() => scenario.HasMoved && scenario.IsAt(scenario.Cluster.RecordOf("a").Generation), 300, $"Not moved, seed {seed}.");
            Assert.True(deaths > 0, "It was never there.");

            // A place that was given up on the way counts as a generation.
            Assert.All(new[] { "a", "b" }, claim =>
            {
                var record = scenario.Cluster.RecordOf(claim);
                Assert.Equal((scenario.Home.Name, 1L), (Assert.Single(record.Retired).NodeName, record.Retired[0].Generation));
                Assert.InRange(record.Generation, 2, 3);
                Assert.Null(record.Guard is { } guard && guard.NodeName == scenario.Home.Name ? guard : null);
            });
            Assert.Equal(claims, scenario.Api.Claims.Values.Select(c => c.Uid));
            scenario.Return(scenario.Home);
            scenario.Await(scenario.Cluster.IsCalm, 300, "Not calm.");
            Assert.DoesNotContain(scenario.Home.Containers.Values.SelectMany(c => c.Volumes), v => v.VolumeId != SimCluster.VolumeOf("c"));
            scenario.IsClean();
        }
    }
}
