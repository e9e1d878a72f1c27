using Carina.Grains.Tests.Failover.Simulation.Cluster;

namespace Carina.Grains.Tests.Failover.Simulation;

/// <summary>The simulation's checks can fail: worlds that are broken on purpose are found out.</summary>
public sealed class SimulationMutationTests(ITestOutputHelper output)
{
    private const int Seeds = 400;

    /// <remarks>
    /// A margin that is too short shows only where the lease, not Kubernetes, is what is waited for: seldom, so that its
    /// search begins near a seed that shows it.
    /// </remarks>
    [Theory]
    [InlineData(nameof(SimMutation.FenceDoesNothing), "Two writers")]
    [InlineData(nameof(SimMutation.HolderGoesOn), "Two writers")]
    [InlineData(nameof(SimMutation.NoGuardProcess), "Two writers")]
    [InlineData(nameof(SimMutation.NegativeMargin), "Two writers", 2200)]
    [InlineData(nameof(SimMutation.LateDeadline), "Two writers")]
    [InlineData(nameof(SimMutation.ClockStopsWhenFrozen), "Two writers")]
    [InlineData(nameof(SimMutation.NoVersions), "")]
    [InlineData(nameof(SimMutation.EverybodyOptsIn), "did not opt in")]
    [InlineData(nameof(SimMutation.DeletesAreForgotten), "Capacity is lost")]
    [InlineData(nameof(SimMutation.ReleasesByName), "where its volumes are")]
    [InlineData(nameof(SimMutation.SecondPassSkipped), "Data is lost")]
    [InlineData(nameof(SimMutation.CopiesAreRemoved), "holds nothing")]
    [InlineData(nameof(SimMutation.RestoresAnother), "which nobody asked for")]
    public void A_broken_world_is_noticed(string mutation, string failure, int firstSeed = 0)
    {
        for (var seed = firstSeed; seed < firstSeed + Seeds; seed++)
        {
            if (new SimRun(seed, Enum.Parse<SimMutation>(mutation)).Run() is { } found && found.Contains(failure, StringComparison.Ordinal))
            {
                output.WriteLine($"Seed {seed}: {found}");
                return;
            }
        }

        Assert.Fail($"{mutation} was not noticed in {Seeds} seeds.");
    }
}
