using Carina.CsiGateway.Hosting;
using Carina.CsiGateway.Node;
using Carina.Grains.Errors;
using Microsoft.Extensions.Time.Testing;

namespace Carina.CsiGateway.Tests.Node;

public sealed class VolumeGateTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly VolumeGate _gate;

    public VolumeGateTests() => _gate = new(new CsiOptions { VolumeWait = TimeSpan.FromSeconds(10) }, _time);

    [Fact]
    public async Task Calls_on_one_volume_come_one_after_another_and_leave_nothing_behind()
    {
        var inside = 0;
        await Task.WhenAll(Enumerable.Range(0, 100).Select(async i =>
        {
            using var pass = await _gate.EnterAsync($"v{i % 3}", "work", CancellationToken.None);
            Assert.InRange(Interlocked.Increment(ref inside), 1, 3);
            await Task.Yield();
            Interlocked.Decrement(ref inside);
        }));
        Assert.Equal(0, _gate.Count);
    }

    [Fact]
    public async Task Waiting_ends_in_time_and_names_what_is_in_the_way()
    {
        var pass = await _gate.EnterAsync("v", "first", CancellationToken.None);
        var waiting = _gate.EnterAsync("v", "second", CancellationToken.None);
        Assert.False(waiting.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(11));
        var error = await Assert.ThrowsAsync<StorageException>(() => waiting);
        Assert.Equal(StorageErrorCode.Aborted, error.Code);
        Assert.Contains("first", error.Message, StringComparison.Ordinal);
        pass.Dispose();
        pass.Dispose();
        Assert.Equal(0, _gate.Count);
        (await _gate.EnterAsync("v", "third", CancellationToken.None)).Dispose();
    }

    [Fact]
    public async Task A_caller_that_goes_away_stops_waiting()
    {
        using var pass = await _gate.EnterAsync("v", "first", CancellationToken.None);
        using var caller = new CancellationTokenSource();
        var waiting = _gate.EnterAsync("v", "second", caller.Token);
        await caller.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        Assert.Equal(1, _gate.Count);
    }
}
