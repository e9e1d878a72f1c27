using Carina.Grains.Agents;
using Carina.Grains.Configuration;
using Carina.Grains.Errors;
using Carina.Silo.Agents;
using Carina.Silo.Backends;
using Microsoft.Extensions.Time.Testing;

namespace Carina.Silo.Tests.Agents;

public sealed class PoolQueueTests : IAsyncDisposable
{
    private readonly GatedBackend _backend = new();
    private readonly List<PoolCommand> _noted = [];
    private readonly PoolQueue _queue;

    private readonly FakeTimeProvider _time = new();

    public PoolQueueTests() => _queue = new PoolQueue("pool", _backend, (command, _) => _noted.Add(command), _time);

    [Fact]
    public async Task Where_commands_are_slow_fewer_share_a_batch_and_more_where_they_are_fast()
    {
        _backend.EachTakes = () => _time.Advance(TimeSpan.FromSeconds(3));
        var first = Create("x");
        await _backend.Entered.WaitAsync();
        var slow = Enumerable.Range(0, 3).Select(i => Create($"slow{i}")).ToArray();
        _backend.Gate.Release(4);
        await Task.WhenAll(slow.Prepend(first));

        _backend.EachTakes = () => { };
        _backend.Gate.Release(1);
        await Create("y");
        var next = Create("z");
        for (var batch = 0; batch < 5; batch++)
        {
            await _backend.Entered.WaitAsync();
        }

        var fast = Enumerable.Range(0, 16).Select(i => Create($"fast{i}")).ToArray();
        _backend.Gate.Release(10);
        await Task.WhenAll(fast.Prepend(next));
        Assert.Equal([1, 1, 1, 1, 1, 1, 16], _backend.Batches.Select(b => b.Count));
    }

    [Fact]
    public async Task What_gathers_while_a_batch_runs_goes_into_the_next()
    {
        var first = Create("a");
        await _backend.Entered.WaitAsync();
        var rest = new[] { Create("b"), Create("c"), Create("d") };
        _backend.Gate.Release(10);
        await first;
        await Task.WhenAll(rest);
        Assert.Equal([["a"], ["b", "c", "d"]], _backend.Batches);
        Assert.Equal(4, _noted.Count);
    }

    [Fact]
    public async Task Two_commands_for_one_volume_never_share_a_batch()
    {
        var first = Create("x");
        await _backend.Entered.WaitAsync();
        var create = Create("a");
        var delete = _queue.RunAsync(new(PoolCommandKind.Delete, new("a", "pool", 1), 0), CancellationToken.None);
        _backend.Gate.Release(10);
        await Task.WhenAll(first, create, delete);
        Assert.Equal([["x"], ["a"], ["a"]], _backend.Batches);
    }

    [Fact]
    public async Task A_command_withdrawn_before_it_began_never_runs()
    {
        var first = Create("x");
        await _backend.Entered.WaitAsync();
        using var cancel = new CancellationTokenSource();
        var withdrawn = _queue.RunAsync(new(PoolCommandKind.Create, new("a", "pool", 1), 4), cancel.Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => withdrawn);
        _backend.Gate.Release(10);
        await first;
        await Create("b");
        Assert.Equal([["x"], ["b"]], _backend.Batches);
    }

    [Fact]
    public async Task A_command_is_refused_when_its_turn_has_come_and_one_that_runs_is_known_to()
    {
        var refused = new HashSet<string>();
        await using var queue = new PoolQueue(
            "pool",
            _backend,
            (_, _) => { },
            _time,
            command => refused.Contains(command.Key.VolumeId) ? new(StorageErrorCode.FailedPrecondition, "fenced") : null);
        var first = queue.RunAsync(new(PoolCommandKind.Create, new("x", "pool", 1), 4), CancellationToken.None);
        await _backend.Entered.WaitAsync();
        var second = queue.RunAsync(new(PoolCommandKind.Expand, new("a", "pool", 1), 4), CancellationToken.None);
        refused.UnionWith(["x", "a"]);
        Assert.True(queue.WhenNoneRuns("a").IsCompleted);
        var none = queue.WhenNoneRuns("x");
        Assert.False(none.IsCompleted);
        _backend.Gate.Release(10);
        await first;
        await none;
        Assert.Equal(StorageErrorCode.FailedPrecondition, (await Assert.ThrowsAsync<StorageException>(() => second)).Code);
        Assert.True(queue.WhenNoneRuns("a").IsCompleted);
        Assert.Equal([["x"]], _backend.Batches);
    }

    [Fact]
    public async Task A_command_that_began_runs_to_its_end_whoever_listens()
    {
        using var cancel = new CancellationTokenSource();
        var call = _queue.RunAsync(new(PoolCommandKind.Create, new("a", "pool", 1), 4), cancel.Token);
        await _backend.Entered.WaitAsync();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        _backend.Gate.Release(10);
        await Create("b");
        Assert.Equal(["a", "b"], _noted.Select(c => c.Key.VolumeId));
    }

    [Fact]
    public async Task One_failure_is_one_callers()
    {
        _backend.Gate.Release(10);
        _backend.FailFor = "bad";
        var bad = Create("bad");
        var good = Create("good");
        var error = await Assert.ThrowsAsync<StorageException>(() => bad);
        Assert.Equal(StorageErrorCode.ResourceExhausted, error.Code);
        Assert.Equal("good", (await good)!.Key.VolumeId);
    }

    [Fact]
    public async Task A_backend_that_throws_fails_its_batch_and_not_the_queue()
    {
        _backend.Gate.Release(10);
        _backend.ThrowOnce = true;
        Assert.Equal(StorageErrorCode.Internal, (await Assert.ThrowsAsync<StorageException>(() => Create("a"))).Code);
        Assert.NotNull(await Create("a"));
    }

    public async ValueTask DisposeAsync()
    {
        _backend.Gate.Release(100);
        await _queue.DisposeAsync();
    }

    private Task<DiskVolume?> Create(string volume) =>
        _queue.RunAsync(new(PoolCommandKind.Create, new(volume, "pool", 1), 4), CancellationToken.None);

    /// <summary>Lets a test hold a batch; the real backends have tests of their own.</summary>
    private sealed class GatedBackend : IPoolBackend
    {
        public PoolPolicy Policy => PoolPolicy.File;

        public SemaphoreSlim Entered { get; } = new(0);

        public SemaphoreSlim Gate { get; } = new(0);

        public List<List<string>> Batches { get; } = [];

        public string FailFor { get; set; } = "";

        public bool ThrowOnce { get; set; }

        public Action EachTakes { get; set; } = () => { };

        public async Task<IReadOnlyList<PoolCommandOutcome>> ExecuteAsync(
            string pool, IReadOnlyList<PoolCommand> commands, CancellationToken cancellationToken)
        {
            Batches.Add([.. commands.Select(c => c.Key.VolumeId)]);
            Entered.Release();
            await Gate.WaitAsync(CancellationToken.None);
            foreach (var _ in commands)
            {
                EachTakes();
            }

            if (ThrowOnce)
            {
                ThrowOnce = false;
                throw new InvalidOperationException("boom");
            }

            return
            [
                .. commands.Select(c => c.Key.VolumeId == FailFor
                    ? new PoolCommandOutcome(null, new StorageException(StorageErrorCode.ResourceExhausted, "full"))
                    : new PoolCommandOutcome(new DiskVolume { Key = c.Key, Bytes = c.Bytes, DevicePath = "" }, null)),
            ];
        }

        public Task<IReadOnlyList<PoolReport>> ScanAsync(
            IReadOnlyList<DiskGroup> groups, CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<PoolReport>>([]);

        public Task<VolumeDevice> OpenAsync(DiskVolumeKey key, CancellationToken cancellationToken) =>
            throw new InvalidOperationException("Not part of these tests.");

        public Task CloseAsync(string volumeId, CancellationToken cancellationToken) => Task.CompletedTask;

        public VolumeDevice? FindDevice(string volumeId) => null;
    }
}
