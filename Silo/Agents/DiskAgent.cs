using System.Collections.Concurrent;
using System.Collections.Immutable;
using Carina.Grains.Agents;
using Carina.Grains.Configuration;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Carina.Silo.Backends;
using Carina.Silo.Fencing;
using Carina.Silo.Nodes;
using Microsoft.Extensions.Options;

namespace Carina.Silo.Agents;

/// <summary>
/// What this node's disks hold, and the one door to change it. Looks at the disks at start, at configuration changes and
/// at intervals; between those it knows, because it made every change itself.
/// </summary>
internal sealed partial class DiskAgent(
    IEnumerable<IPoolBackend> backends,
    ICarinaConfigSource config,
    ICrashPoints crash,
    INodeLabels labels,
    FencedVolumes fenced,
    IOptions<SiloOptions> options,
    TimeProvider time,
    ILogger<DiskAgent> logger) : ICommandsUnderWay, IAsyncDisposable
{
    private readonly ImmutableDictionary<PoolPolicy, IPoolBackend> _backends = backends.ToImmutableDictionary(b => b.Policy);
    private readonly ConcurrentDictionary<string, PoolQueue> _queues = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int> _inFlight = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _scanning = new(1, 1);
    private readonly TaskCompletionSource _scanned = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ImmutableDictionary<string, PoolReport> _pools = ImmutableDictionary<string, PoolReport>.Empty;
    private IReadOnlyDictionary<string, string> _labels = ImmutableDictionary<string, string>.Empty;
    private long _sequence;

    /// <summary>Whether the disks have been looked at since the process started.</summary>
    public bool IsReady => _scanned.Task.IsCompletedSuccessfully;

    /// <summary>The backend of a pool of this node.</summary>
    /// <exception cref="StorageException">FailedPrecondition when the node has no such pool.</exception>
    public IPoolBackend BackendOf(string pool) =>
        _pools.TryGetValue(pool, out var report)
            ? _backends[report.Policy]
            : throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"Node '{options.Value.NodeName}' has no pool '{pool}' (it has: {string.Join(", ", _pools.Keys.Order(StringComparer.Ordinal))}).");

    /// <summary>Looks at the disks.</summary>
    public async Task ScanAsync(CancellationToken cancellationToken)
    {
        await _scanning.WaitAsync(cancellationToken);
        try
        {
            _labels = await labels.GetAsync(cancellationToken);
            var groups = config.Current.Groups.Where(AppliesHere).ToLookup(g => g.Policy);
            var found = new List<PoolReport>();
            foreach (var backend in _backends.Values)
            {
                found.AddRange(await backend.ScanAsync([.. groups[backend.Policy]], cancellationToken));
            }

            foreach (var problem in found.Where(p => p.Problem.Length > 0))
            {
                LogPoolProblem(problem.Name, problem.Problem);
            }

            _pools = found.ToImmutableDictionary(p => p.Name, StringComparer.Ordinal);
            _scanned.TrySetResult();
        }
        finally
        {
            _scanning.Release();
        }
    }

    /// <summary>What the disks hold now, with what is under way.</summary>
    public NodeReport ToReport(long incarnation)
    {
        // In-flight first: a command that ends in between is then reported as both, never as neither.
        var inFlight = _inFlight.Keys.ToList();
        return new NodeReport
        {
            NodeName = options.Value.NodeName,
            Incarnation = incarnation,
            Sequence = Interlocked.Increment(ref _sequence),
            Pools = [.. _pools.Values],
            InFlight = inFlight,
            Labels = new(_labels),
        };
    }

    public async Task<DiskVolume> CreateAsync(DiskVolumeKey key, long bytes, CancellationToken cancellationToken)
    {
        crash.Reached("agent.create.received", key.VolumeId);
        var volume = await RunAsync(new PoolCommand(PoolCommandKind.Create, key, bytes), cancellationToken);
        crash.Reached("agent.create.done", key.VolumeId);
        return volume!;
    }

    public async Task<DiskVolume> ExpandAsync(DiskVolumeKey key, long bytes, CancellationToken cancellationToken)
    {
        crash.Reached("agent.expand.received", key.VolumeId);
        var volume = await RunAsync(new PoolCommand(PoolCommandKind.Expand, key, bytes), cancellationToken);
        crash.Reached("agent.expand.done", key.VolumeId);
        return volume!;
    }

    public async Task<DiskVolume> AdoptAsync(DiskVolumeKey key, CancellationToken cancellationToken)
    {
        var volume = await RunAsync(new PoolCommand(PoolCommandKind.Adopt, key, 0), cancellationToken);
        crash.Reached("agent.adopt.done", key.VolumeId);
        return volume!;
    }

    public async Task<DiskVolume> RenameAsync(DiskVolumeKey from, DiskVolumeKey to, CancellationToken cancellationToken)
    {
        if (from.Pool != to.Pool)
        {
            throw new StorageException(
                StorageErrorCode.InvalidArgument, $"Volume '{from.VolumeId}' cannot go from pool '{from.Pool}' to '{to.Pool}' by a new name.");
        }

        var volume = await RunAsync(new PoolCommand(PoolCommandKind.Rename, from, 0) { NewKey = to }, cancellationToken);
        await ForgetFenceAsync(from, cancellationToken);
        crash.Reached("agent.rename.done", from.VolumeId);
        return volume!;
    }

    public async Task DeleteAsync(DiskVolumeKey key, CancellationToken cancellationToken)
    {
        crash.Reached("agent.delete.received", key.VolumeId);
        await RunAsync(new PoolCommand(PoolCommandKind.Delete, key, 0), cancellationToken);
        await ForgetFenceAsync(key, cancellationToken);
        crash.Reached("agent.delete.done", key.VolumeId);
    }

    public Task WhenNoneRuns(string volumeId) => Task.WhenAll(_queues.Values.Select(queue => queue.WhenNoneRuns(volumeId)));

    public async ValueTask DisposeAsync()
    {
        foreach (var queue in _queues.Values)
        {
            await queue.DisposeAsync();
        }

        _scanning.Dispose();
    }

    // There is nothing left to be kept from. That this is still in the file does no harm.
    private async Task ForgetFenceAsync(DiskVolumeKey key, CancellationToken cancellationToken)
    {
        if (fenced.Find(key.VolumeId)?.Generation != key.Generation)
        {
            return;
        }

        fenced.Remove(key);
        try
        {
            await fenced.SaveAsync(cancellationToken);
        }
        catch (StorageException exception)
        {
            LogFenceNotForgotten(key.VolumeId, exception.Message);
        }
    }

    // A fenced volume may be removed or put aside, but nothing that would bring its device back to life.
    private StorageException? Refuse(PoolCommand command) => command.Kind switch
    {
        PoolCommandKind.Delete => null,
        PoolCommandKind.Rename => fenced.FindRefusal(command.NewKey!),
        _ => fenced.FindRefusal(command.Key),
    };

    private bool AppliesHere(DiskGroup group) =>
        group.NodeLabel.Length == 0 || _labels.ContainsKey(group.NodeLabel);

    private async Task<DiskVolume?> RunAsync(PoolCommand command, CancellationToken cancellationToken)
    {
        var volumeId = command.Key.VolumeId;
        _inFlight.AddOrUpdate(volumeId, 1, (_, count) => count + 1);
        try
        {
            await _scanned.Task.WaitAsync(cancellationToken);
            RefuseOldGeneration(command.Key);
            var backend = BackendOf(command.Key.Pool);
            var queue = _queues.GetOrAdd(command.Key.Pool, pool => new PoolQueue(pool, backend, Note, time, Refuse));
            return await queue.RunAsync(command, cancellationToken);
        }
        finally
        {
            if (_inFlight.AddOrUpdate(volumeId, 0, (_, count) => count - 1) == 0)
            {
                _inFlight.TryRemove(KeyValuePair.Create(volumeId, 0));
            }
        }
    }

    private void RefuseOldGeneration(DiskVolumeKey key)
    {
        var newest = _pools.Values.SelectMany(p => p.Volumes)
            .Where(v => v.Key.VolumeId == key.VolumeId)
            .Select(v => v.Key.Generation)
            .DefaultIfEmpty(0)
            .Max();
        if (newest > key.Generation)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"Volume '{key.VolumeId}': the command is for generation {key.Generation}, the disk has generation {newest} already.");
        }
    }

    /// <summary>Keeps what is known of the disk in step with what was done to it.</summary>
    private void Note(PoolCommand command, PoolCommandOutcome outcome)
    {
        if (outcome.Error is not null)
        {
            LogCommandFailed(command.Kind, command.Key.VolumeId, command.Key.Pool, outcome.Error.Message);
            return;
        }

        ImmutableInterlocked.Update(
            ref _pools,
            pools => pools.TryGetValue(command.Key.Pool, out var pool)
                ? pools.SetItem(pool.Name, pool with
                {
                    ForeignBytes = pool.ForeignBytes
                        - pool.Unclaimed.Where(v => v.Key == command.Key && outcome.Volume is not null).Sum(v => v.Bytes),
                    Unclaimed = [.. pool.Unclaimed.Where(v => v.Key != command.Key)],
                    Volumes =
                    [
                        .. pool.Volumes.Where(v => command.NewKey is { } renamed
                            ? v.Key != command.Key && v.Key.VolumeId != renamed.VolumeId
                            : v.Key.VolumeId != command.Key.VolumeId),
                        .. outcome.Volume is { } volume ? [volume] : Array.Empty<DiskVolume>(),
                    ],
                })
                : pools);
    }

    [LoggerMessage(1, LogLevel.Warning, "Pool {Pool}: {Problem}")]
    private partial void LogPoolProblem(string pool, string problem);

    [LoggerMessage(3, LogLevel.Warning, "Volume {VolumeId} is deleted, but its fence is still remembered: {Reason}")]
    private partial void LogFenceNotForgotten(string volumeId, string reason);

    [LoggerMessage(2, LogLevel.Warning, "{Kind} of volume {VolumeId} in pool {Pool} failed: {Reason}")]
    private partial void LogCommandFailed(PoolCommandKind kind, string volumeId, string pool, string reason);
}
