using Carina.Grains.Configuration;
using Carina.Webhook.Tests.Scheduling.Lab;

namespace Carina.Webhook.Tests.Scheduling;

/// <summary>What is counted between a scheduler's decision and the volume in the ledger, step by step.</summary>
public sealed class ExpectationTests : IAsyncLifetime
{
    private ExtenderWorld _world = null!;

    public async ValueTask InitializeAsync()
    {
        _world = await ExtenderWorld.StartAsync();
        _world.Config.Strategy = SchedulerStrategy.Spreadout;
        _world.Ledgers.Nodes["a"] = 10;
        _world.Ledgers.Nodes["b"] = 9;
        foreach (var name in new[] { "one", "two", "three" })
        {
            _world.PutClaim(name, 6);
        }
    }

    public ValueTask DisposeAsync() => _world.DisposeAsync();

    [Fact]
    public async Task A_pod_counts_where_it_was_steered_to_until_that_is_too_long_ago()
    {
        Assert.Equal("a b", await FilterAsync("one"));
        Assert.Equal("a=10 b=0", await PrioritizeAsync("one"));
        _world.Time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal("b", await FilterAsync("two"));
        _world.Time.Advance(TimeSpan.FromSeconds(4));
        Assert.Equal("", await FilterAsync("three"));
        _world.Time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal("a", await FilterAsync("three"));
    }

    [Fact]
    public async Task Filtering_alone_promises_nothing_as_long_as_there_is_a_choice()
    {
        Assert.Equal("a b", await FilterAsync("one"));
        Assert.Equal("a b", await FilterAsync("two"));
    }

    [Fact]
    public async Task A_pod_that_is_looked_at_again_does_not_stand_in_its_own_way()
    {
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal("a b", await FilterAsync("one"));
            Assert.Equal("a=10 b=0", await PrioritizeAsync("one"));
        }
    }

    [Fact]
    public async Task The_annotation_shows_where_the_pod_really_went()
    {
        await PrioritizeAsync("one");
        _world.PutClaim("one", 6, selectedNode: "b");
        Assert.Equal("a", await FilterAsync("two"));
    }

    [Theory]
    [InlineData("volume.kubernetes.io/selected-node")]
    [InlineData("volume.beta.kubernetes.io/selected-node")]
    [InlineData("volume.alpha.kubernetes.io/selected-node")]
    public async Task Claims_of_any_scheduler_count_on_their_node_until_its_ledger_knows_them(string annotation)
    {
        _world.PutClaim("one", 6, selectedNode: "a", annotation: annotation);
        Assert.Equal("b", await FilterAsync("two"));
        Assert.Equal(1, _world.Ledgers.Readings);

        // Made, and counted by the ledger: not twice.
        _world.Time.Advance(TimeSpan.FromSeconds(60));
        _world.Ledgers.Nodes["a"] = 6;
        _world.Ledgers.Promised.Add(("a", "volume-pvc-one"));
        Assert.Equal("a b", await FilterAsync("three"));

        // Its own pod, looked at again, has what it needs there.
        _world.Ledgers.Nodes["a"] = 0;
        _world.Time.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal("a b", await FilterAsync("one"));
    }

    [Fact]
    public async Task A_claim_that_was_sent_back_by_the_provisioner_counts_nowhere()
    {
        _world.PutClaim("one", 6, selectedNode: "a");
        Assert.Equal("b", await FilterAsync("two"));
        _world.PutClaim("one", 6);
        Assert.Equal("a", await FilterAsync("three"));
    }

    [Fact]
    public async Task From_the_moment_a_claim_is_bound_only_ledgers_asked_since_count()
    {
        _world.PutClaim("one", 6, selectedNode: "a");
        Assert.Equal("b", await FilterAsync("two"));

        // Within the age of a reading, which would still show 10 GiB left on a.
        _world.Ledgers.Nodes["a"] = 4;
        _world.PutClaim("one", 6, selectedNode: "a", volume: "pv-one");
        Assert.Equal("", await FilterAsync("three"));
        Assert.Equal(2, _world.Ledgers.Readings);
    }

    [Fact]
    public async Task A_burst_of_pods_asks_the_ledgers_once()
    {
        for (var i = 0; i < 5; i++)
        {
            await FilterAsync("one");
            await PrioritizeAsync("one");
        }

        Assert.Equal(1, _world.Ledgers.Readings);
        _world.Time.Advance(TimeSpan.FromMilliseconds(101));
        await FilterAsync("one");
        Assert.Equal(2, _world.Ledgers.Readings);
    }

    [Fact]
    public async Task A_deleted_claim_is_not_waited_for()
    {
        _world.PutClaim("one", 6, selectedNode: "a");
        Assert.Equal("b", await FilterAsync("two"));
        _world.Claims.Remove(ExtenderWorld.Namespace, "one");
        _world.Time.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal("a b", await FilterAsync("two"));
    }

    [Fact]
    public async Task Only_so_many_pods_are_remembered()
    {
        await using var world = await ExtenderWorld.StartAsync(options => options.MaxTentativePods = 2);
        world.Ledgers.Nodes["a"] = 20;
        foreach (var name in new[] { "one", "two", "three", "four" })
        {
            world.PutClaim(name, 6);
            await world.FilterAsync(ExtenderWorld.Pod(name, name));
            world.Time.Advance(TimeSpan.FromMilliseconds(10));
        }

        // Of 24 GiB only the last 12 are remembered.
        world.PutClaim("five", 8);
        Assert.Equal("a", await world.FilterAsync(ExtenderWorld.Pod("five", "five")));
        world.PutClaim("six", 7);
        Assert.Equal("", await world.FilterAsync(ExtenderWorld.Pod("six", "six")));
    }

    private Task<string> FilterAsync(string claim) => _world.FilterAsync(ExtenderWorld.Pod(claim, claim));

    private Task<string> PrioritizeAsync(string claim) => _world.PrioritizeAsync(ExtenderWorld.Pod(claim, claim));
}
