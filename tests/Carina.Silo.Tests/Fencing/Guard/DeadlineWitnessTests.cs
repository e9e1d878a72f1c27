using Carina.Silo.Fencing.Guard;
using Carina.Silo.Tests.Fencing.Leases;

namespace Carina.Silo.Tests.Fencing.Guard;

/// <summary>The guard process never knows less than what the lease says.</summary>
public sealed class DeadlineWitnessTests
{
    private static readonly TimeSpan _fenceAfter = TimeSpan.FromSeconds(11);

    [Fact]
    public async Task Nothing_is_promised_to_others_before_the_guard_process_knows_it()
    {
        await using var world = new LeaseWorld();
        var looks = 0;
        world.BeforeRenewal = renewal =>
        {
            Assert.True(renewal.Guarded);
            var told = world.DeadlineFile.Read();
            Assert.True(told is { Guarded: true });
            Assert.InRange(told.Time, world.Elapsed - TimeSpan.FromSeconds(1), world.Elapsed + _fenceAfter);
            Interlocked.Increment(ref looks);
        };
        await world.StartAsync();
        await world.PassAsync(15);
        Assert.InRange(looks, 4, 7);
        Assert.Equal(looks, world.Renewals.Count);
        Assert.InRange(world.DeadlineFile.Read()!.Time, world.Elapsed + TimeSpan.FromSeconds(7), world.Elapsed + _fenceAfter);
    }

    [Fact]
    public async Task The_deadline_stands_still_while_nobody_can_renew()
    {
        await using var world = new LeaseWorld();
        world.AddHelper("node-b", () => null);
        await world.StartAsync();
        await world.PassAsync(4);
        world.IsApiThere = false;
        await world.PassAsync(1);
        var told = world.DeadlineFile.Read();
        await world.PassAsync(20);
        Assert.Equal(told, world.DeadlineFile.Read());
        Assert.NotEmpty(world.TimesOf("fenced"));
    }

    [Fact]
    public async Task A_planned_stop_takes_the_promise_back_after_the_lease_has()
    {
        await using var world = new LeaseWorld();
        await world.StartAsync();
        await world.PassAsync(4);
        var before = false;
        world.BeforeRenewal = renewal => before = !renewal.Guarded && world.DeadlineFile.Read()!.Guarded;
        await world.Keeper.StopAsync(TestContext.Current.CancellationToken);
        Assert.True(before);
        Assert.False(world.Renewals.Last().Guarded);
        Assert.False(world.DeadlineFile.Read()!.Guarded);
    }

    [Fact]
    public async Task What_an_earlier_process_promised_holds_until_this_one_has_renewed_and_is_void_where_nothing_is_guarded()
    {
        await using var guarding = new LeaseWorld();
        var earlier = new LeaseDeadline(guarding.DeadlineFile.BootId, "earlier", Guarded: true, At: 5);
        guarding.DeadlineFile.Write(earlier);
        guarding.IsApiThere = false;
        await guarding.StartAsync();
        Assert.Equal(earlier, guarding.DeadlineFile.Read());

        await using var idle = new LeaseWorld(isGuarded: false);
        idle.DeadlineFile.Write(earlier);
        idle.IsApiThere = false;
        await idle.StartAsync();
        Assert.False(idle.DeadlineFile.Read()!.Guarded);
    }

    [Fact]
    public async Task With_the_last_volume_the_promise_ends_also_while_the_API_server_is_away()
    {
        await using var world = new LeaseWorld();
        world.AddHelper("node-b", () => null);
        await world.StartAsync();
        await world.PassAsync(4);
        world.IsApiThere = false;
        await world.Guarded.RemoveAsync(LeaseWorld.Key.VolumeId, TestContext.Current.CancellationToken);
        await world.PassAsync(2);
        Assert.False(world.DeadlineFile.Read()!.Guarded);
    }
}
