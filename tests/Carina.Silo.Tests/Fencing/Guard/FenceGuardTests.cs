using Carina.Grains.Errors;

namespace Carina.Silo.Tests.Fencing.Guard;

/// <summary>When the guard process cuts volumes off in the silo's place, and when it must not.</summary>
public sealed class FenceGuardTests : IDisposable
{
    private readonly GuardWorld _world = new();

    [Fact]
    public async Task It_acts_a_second_after_the_deadline_and_not_before()
    {
        await _world.GuardAsync(GuardWorld.Key);
        _world.Tell(secondsLeft: 11);
        Assert.Equal(0, await _world.LookAsync());
        Assert.Equal(0, await _world.LookAsync(11.9));
        Assert.Equal(1, await _world.LookAsync(0.1));
        Assert.Contains(GuardWorld.Key, _world.Cut);

        // What is cut off is left alone.
        Assert.Equal(1, await _world.LookAsync(5));
    }

    [Fact]
    public async Task It_looks_again_just_when_the_time_is_over()
    {
        await _world.GuardAsync(GuardWorld.Key);
        _world.Tell(secondsLeft: -0.9);
        Assert.InRange(await _world.Guard.LookAsync(), TimeSpan.FromMilliseconds(99), TimeSpan.FromMilliseconds(101));
    }

    [Fact]
    public async Task A_silo_that_renews_is_left_alone()
    {
        await _world.GuardAsync(GuardWorld.Key);
        for (var round = 0; round < 20; round++)
        {
            _world.Tell(secondsLeft: 11);
            Assert.Equal(0, await _world.LookAsync(3));
        }
    }

    [Fact]
    public async Task What_the_silo_has_cut_off_itself_is_left_alone()
    {
        await _world.GuardAsync(GuardWorld.Key);
        _world.Tell(secondsLeft: 0);
        _world.Cut.Add(GuardWorld.Key);
        Assert.Equal(0, await _world.LookAsync(10));
    }

    [Fact]
    public async Task What_came_back_to_life_after_a_fence_is_cut_off_again()
    {
        await _world.GuardAsync(GuardWorld.Key);
        _world.Tell(secondsLeft: 0);
        Assert.Equal(1, await _world.LookAsync(2));
        _world.Cut.Clear();
        Assert.Equal(2, await _world.LookAsync(1));
    }

    [Fact]
    public async Task It_leaves_alone_what_the_silo_does_not_promise()
    {
        await _world.GuardAsync(GuardWorld.Key);
        Assert.Equal(0, await _world.LookAsync());

        // Stopped as planned; and before this boot of the machine.
        _world.Tell(secondsLeft: 0, guarded: false);
        Assert.Equal(0, await _world.LookAsync(100));
        _world.Tell(secondsLeft: 0, boot: "another boot");
        Assert.Equal(0, await _world.LookAsync(100));
        Assert.False(_world.Guard.IsNeeded);

        _world.Tell(secondsLeft: 0);
        Assert.Equal(1, await _world.LookAsync(2));
    }

    [Fact]
    public async Task Only_volumes_that_are_guarded_now_are_cut_off()
    {
        var other = GuardWorld.Key with { VolumeId = "volume-2" };
        await _world.GuardAsync(GuardWorld.Key);
        _world.Tell(secondsLeft: 11);
        await _world.LookAsync();
        await _world.GuardAsync(other);
        await new Silo.Fencing.Leases.GuardedVolumes(_world.GuardedPath).RemoveAsync(GuardWorld.Key.VolumeId, default);
        await _world.LookAsync(12);
        Assert.Equal([other], _world.Cut);
    }

    [Fact]
    public async Task Files_that_cannot_be_read_say_what_they_said_before()
    {
        await _world.GuardAsync(GuardWorld.Key);
        _world.Tell(secondsLeft: 11);
        await _world.LookAsync();
        await File.WriteAllTextAsync(_world.DeadlinePath, "{");
        await File.WriteAllTextAsync(_world.GuardedPath, "[{");
        Assert.Equal(0, await _world.LookAsync(11));
        Assert.Equal(1, await _world.LookAsync(1));
    }

    [Fact]
    public async Task A_fence_that_fails_is_tried_again_and_the_watchdog_is_not_told_that_all_is_well()
    {
        await _world.GuardAsync(GuardWorld.Key);
        _world.Tell(secondsLeft: 0);
        await _world.LookAsync();
        var pets = _world.Pets;
        Assert.True(pets > 0);
        _world.Failure = StorageErrorCode.Unavailable;
        await _world.LookAsync(2);
        Assert.Equal(2, await _world.LookAsync(1));
        Assert.Equal(pets, _world.Pets);
        Assert.True(_world.Guard.IsNeeded);

        _world.Failure = null;
        await _world.LookAsync(1);
        Assert.True(_world.Pets > pets);
        Assert.False(_world.Guard.IsNeeded);
    }

    [Fact]
    public async Task Another_generation_on_the_disk_is_nothing_to_be_cut_off()
    {
        await _world.GuardAsync(GuardWorld.Key);
        _world.Tell(secondsLeft: 0);
        _world.Failure = StorageErrorCode.FailedPrecondition;
        Assert.Equal(1, await _world.LookAsync(2));
        Assert.Equal(1, await _world.LookAsync(1));
        Assert.False(_world.Guard.IsNeeded);
    }

    [Fact]
    public async Task Whoever_ends_it_has_to_wait_until_the_promise_is_kept_or_taken_back()
    {
        await _world.GuardAsync(GuardWorld.Key);
        _world.Tell(secondsLeft: 11);
        await _world.Guard.StartAsync(default);
        await UntilAsync(() => _world.Pets > 0);
        var stop = _world.Guard.StopAsync(default);
        await Task.Delay(300);
        Assert.False(stop.IsCompleted);

        _world.Tell(secondsLeft: 0, guarded: false);
        await UntilAsync(() =>
        {
            _world.Time.Advance(TimeSpan.FromSeconds(1));
            return stop.IsCompleted;
        });
        Assert.True(_world.IsDisarmed);
        Assert.Equal(0, _world.Fences);
    }

    public void Dispose() => _world.Dispose();

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (var i = 0; i < 500 && !condition(); i++)
            await Task.Delay(20);

        Assert.True(condition());
    }
}
