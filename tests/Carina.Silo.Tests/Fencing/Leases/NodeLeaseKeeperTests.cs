using Carina.Grains.Agents;
using Carina.Grains.Errors;

namespace Carina.Silo.Tests.Fencing.Leases;

/// <summary>When a node renews, goes on without, or stops writing.</summary>
public sealed class NodeLeaseKeeperTests
{
    private static readonly TimeSpan _slack = TimeSpan.FromSeconds(0.6);

    [Fact]
    public async Task Renews_at_its_pace_and_says_that_it_guards()
    {
        await using var world = new LeaseWorld();
        await world.StartAsync();
        await world.PassAsync(30);
        Assert.InRange(world.Renewals.Count, 9, 12);
        Assert.All(world.Renewals, renewal => Assert.True(renewal is { Guarded: true, Duration.TotalSeconds: 15, Fenced.Count: 0 }));
        Assert.Equal(world.Renewals.Count, world.Renewals.Select(renewal => renewal.RenewedAt).Distinct().Count());
        Assert.Empty(world.TimesOf("fenced"));
    }

    [Fact]
    public async Task Is_slow_while_nothing_is_guarded_and_fast_at_once_when_something_is()
    {
        await using var world = new LeaseWorld(isGuarded: false);
        await world.StartAsync();
        await world.PassAsync(35);
        Assert.Equal(2, world.Renewals.Count);
        Assert.All(world.Renewals, renewal => Assert.True(renewal is { Guarded: false, Duration.TotalSeconds: 60 }));

        await world.Guarded.AddAsync(LeaseWorld.Key, TestContext.Current.CancellationToken);
        await world.Keeper.RenewNowAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        Assert.True(world.Renewals.Last().Guarded);
        await world.PassAsync(30);
        Assert.InRange(world.Renewals.Count, 11, 14);
        Assert.Empty(world.TimesOf("fenced"));
    }

    [Fact]
    public async Task Is_renewed_by_another_when_only_this_node_cannot_reach_the_api_server()
    {
        await using var world = new LeaseWorld();
        world.AddHelper("node-b", () => LeaseRenewalOutcome.ApiUnreachable);
        world.AddHelper("controller/x", () => LeaseRenewalOutcome.Renewed);
        await world.StartAsync();
        world.IsApiThere = false;
        await world.PassAsync(60);
        Assert.Empty(world.TimesOf("fenced"));
        Assert.True(world.Keeper.IsRenewed);
    }

    [Fact]
    public async Task Goes_on_while_the_api_server_is_away_for_more_than_half_of_the_nodes()
    {
        await using var world = new LeaseWorld();
        world.AddHelper("node-b", () => LeaseRenewalOutcome.ApiUnreachable);
        world.AddHelper("node-c", () => null);
        await world.StartAsync();
        world.IsApiThere = false;
        await world.PassAsync(60);
        Assert.Empty(world.TimesOf("fenced"));
        Assert.False(world.Keeper.IsRenewed);
        await Assert.ThrowsAsync<StorageException>(async () =>
        {
            var renewal = world.Keeper.RenewNowAsync(TestContext.Current.CancellationToken);
            await world.PassAsync(12);
            await renewal;
        });
    }

    [Fact]
    public async Task Half_of_the_nodes_are_not_enough()
    {
        await using var world = new LeaseWorld();
        world.AddHelper("node-b", () => LeaseRenewalOutcome.ApiUnreachable);
        world.AddHelper("node-c", () => null);
        world.AddHelper("node-d", () => null);
        world.AddHelper("controller/x", () => LeaseRenewalOutcome.ApiUnreachable);
        await world.StartAsync();
        world.IsApiThere = false;
        await world.PassAsync(20);
        Assert.NotEmpty(world.TimesOf("fenced"));
    }

    [Fact]
    public async Task Nodes_that_came_later_do_not_count()
    {
        await using var world = new LeaseWorld();
        world.AddHelper("node-b", () => null);
        await world.StartAsync();
        world.IsApiThere = false;
        foreach (var name in new[] { "node-c", "node-d", "node-e" })
            world.AddHelper(name, () => LeaseRenewalOutcome.ApiUnreachable);

        await world.PassAsync(20);
        Assert.NotEmpty(world.TimesOf("fenced"));
    }

    [Fact]
    public async Task Stops_writing_at_the_deadline_and_not_before_when_it_is_cut_off_from_all()
    {
        await using var world = new LeaseWorld();
        world.AddHelper("node-b", () => null);
        world.AddHelper("controller/x", () => null);
        await world.StartAsync();
        await world.PassAsync(7);
        world.IsApiThere = false;
        await world.PassAsync(20);
        var last = world.TimesOf("renewed").Last();
        var fenced = Assert.Single(world.TimesOf("fenced"));
        Assert.InRange(fenced - last, world.Options.FenceAfter - TimeSpan.FromSeconds(0.01), world.Options.FenceAfter + _slack);
        Assert.Contains("lease", world.Fenced.All.Single().Reason, StringComparison.Ordinal);

        // It goes on trying, and says what it did as soon as it is heard.
        var tries = world.TimesOf("tried").Count();
        world.IsApiThere = true;
        await world.PassAsync(8);
        Assert.True(tries > 3);
        Assert.Equal([LeaseWorld.Key.VolumeId], world.Renewals.Last().Fenced);
        Assert.True(world.Keeper.MayAnnounce(LeaseWorld.Key.VolumeId));
        world.Fenced.Remove(LeaseWorld.Key);
        await world.PassAsync(0.5);
        Assert.Empty(world.Renewals.Last().Fenced);
        Assert.False(world.Keeper.MayAnnounce(LeaseWorld.Key.VolumeId));
    }

    [Fact]
    public async Task After_a_long_suspend_it_stops_writing_before_anything_else()
    {
        await using var world = new LeaseWorld();
        await world.StartAsync();
        await world.PassAsync(7);
        var before = world.Log.Count;
        world.Suspend(100);
        await world.PassAsync(4);
        Assert.Equal(["fenced", "renewed"], world.Log.Skip(before).Select(entry => entry.What).Take(2));
    }

    [Fact]
    public async Task A_process_that_inherits_guarded_volumes_stops_writing_when_it_cannot_renew_at_all()
    {
        await using var world = new LeaseWorld { IsApiThere = false };
        await world.StartAsync();
        await world.PassAsync(5);
        Assert.Empty(world.TimesOf("fenced"));
        await world.PassAsync(2);
        Assert.Single(world.TimesOf("fenced"));
    }

    [Fact]
    public async Task A_stop_says_that_nobody_watches()
    {
        var world = new LeaseWorld();
        await world.StartAsync();
        await world.DisposeAsync();
        Assert.False(world.Renewals.Last().Guarded);
        Assert.Empty(world.TimesOf("fenced"));
    }

    [Fact]
    public async Task A_stop_that_cannot_say_so_stops_writing()
    {
        var world = new LeaseWorld();
        await world.StartAsync();
        world.IsApiThere = false;
        await world.DisposeAsync();
        Assert.Single(world.TimesOf("fenced"));
    }

    [Fact]
    public async Task What_is_guarded_is_known_to_the_next_process()
    {
        await using var world = new LeaseWorld();
        await world.StartAsync();
        Assert.Equal([LeaseWorld.Key], new Silo.Fencing.Leases.GuardedVolumes(world.GuardFile).All);
        await world.Guarded.RemoveAsync(LeaseWorld.Key.VolumeId, TestContext.Current.CancellationToken);
        Assert.Empty(new Silo.Fencing.Leases.GuardedVolumes(world.GuardFile).All);
    }
}
