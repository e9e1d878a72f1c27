using System.Collections.Concurrent;
using System.Diagnostics;
using System.Threading.Channels;
using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Telemetry;
using Carina.Silo.Backends;

namespace Carina.Silo.Agents;

/// <summary>
/// The queue of one pool: commands run one batch at a time, and whatever gathered while a batch ran goes into the next.
/// Different pools run side by side.
/// </summary>
internal sealed class PoolQueue : IAsyncDisposable
{
    private const int MaxBatch = 16;
    private const int FirstBatch = 4;

    /// <summary>
    /// How long a batch may take. Its commands are answered together, so one must never take as long as callers wait:
    /// where commands are slow (an overloaded node, a dying disk), fewer go into one.
    /// </summary>
    private static readonly TimeSpan _longestBatch = TimeSpan.FromSeconds(5);

    private readonly string _pool;
    private readonly IPoolBackend _backend;
    private readonly Action<PoolCommand, PoolCommandOutcome> _done;
    private readonly TimeProvider _time;
    private readonly Func<PoolCommand, StorageException?> _refuse;
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _running = new(StringComparer.Ordinal);
    private readonly Channel<Entry> _entries = Channel.CreateUnbounded<Entry>(new() { SingleReader = true });
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _worker;
    private int _batchSize = FirstBatch;

    /// <param name="pool">The pool's name.</param>
    /// <param name="backend">What does the work.</param>
    /// <param name="done">Told of each outcome before the caller is.</param>
    /// <param name="time">Measures how long batches take.</param>
    /// <param name="refuse">Asked when a command's turn has come; what it answers is the outcome. Null refuses nothing.</param>
    public PoolQueue(
        string pool,
        IPoolBackend backend,
        Action<PoolCommand, PoolCommandOutcome> done,
        TimeProvider time,
        Func<PoolCommand, StorageException?>? refuse = null)
    {
        (_pool, _backend, _done, _time, _refuse) = (pool, backend, done, time, refuse ?? (_ => null));
        using (ExecutionContext.SuppressFlow())
        {
            _worker = Task.Run(RunAsync);
        }
    }

    /// <summary>
    /// Queues a command and waits for its outcome. Cancellation withdraws it only while it has not begun; after that it
    /// runs to its end, whoever still listens.
    /// </summary>
    public async Task<DiskVolume?> RunAsync(PoolCommand command, CancellationToken cancellationToken)
    {
        var entry = new Entry(command, Activity.Current?.Context ?? default, cancellationToken);
        if (!_entries.Writer.TryWrite(entry))
        {
            throw new StorageException(
                StorageErrorCode.Unavailable, $"The agent stops; volume '{command.Key.VolumeId}' was not touched. Try again.");
        }

        return await entry.Done.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Ends when no command that has begun works on the volume; those that are queued do not count.</summary>
    public Task WhenNoneRuns(string volumeId) => _running.TryGetValue(volumeId, out var running) ? running.Task : Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        _entries.Writer.TryComplete();
        await _stop.CancelAsync();
        await _worker;
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        while (await _entries.Reader.WaitToReadAsync())
        {
            var batch = new List<Entry>();
            var volumes = new HashSet<string>(StringComparer.Ordinal);
            while (batch.Count < _batchSize && _entries.Reader.TryPeek(out var next))
            {
                // Two commands for one volume are never in one batch: the second must see what the first did.
                if (!next.Withdrawn.IsCancellationRequested && !volumes.Add(next.Command.Key.VolumeId))
                {
                    break;
                }

                _entries.Reader.TryRead(out _);
                if (next.Withdrawn.IsCancellationRequested)
                {
                    next.Done.TrySetCanceled(next.Withdrawn);
                }
                else if (Begin(next))
                {
                    batch.Add(next);
                }
            }

            if (batch.Count > 0)
            {
                var started = _time.GetTimestamp();
                await RunBatchAsync(batch);
                var each = _time.GetElapsedTime(started) / batch.Count;
                _batchSize = (int)Math.Clamp(_longestBatch / (each + TimeSpan.FromMilliseconds(1)), 1, MaxBatch);
            }
        }
    }

    // Counts as running before it is asked whether it may: who forbids it and looks for running ones afterwards, in that
    // order, has either forbidden it or found it.
    private bool Begin(Entry entry)
    {
        var volumeId = entry.Command.Key.VolumeId;
        _running[volumeId] = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (_refuse(entry.Command) is not { } refusal)
            return true;

        Settle(entry, new(null, refusal));
        return false;
    }

    private async Task RunBatchAsync(List<Entry> batch)
    {
        // The batch is part of its first caller's trace and linked to the others'.
        using var activity = CarinaTelemetry.Source.StartActivity(
            "pool " + batch[0].Command.Kind.ToString().ToLowerInvariant(),
            ActivityKind.Internal,
            batch[0].Parent,
            links: batch.Skip(1).Select(e => new ActivityLink(e.Parent)));
        activity?.SetTag(CarinaTelemetry.PoolTag, _pool);
        activity?.SetTag("carina.batch.size", batch.Count);
        activity?.SetTag(CarinaTelemetry.VolumeIdTag, string.Join(',', batch.Select(e => e.Command.Key.VolumeId)));
        try
        {
            var outcomes = await _backend.ExecuteAsync(_pool, [.. batch.Select(e => e.Command)], _stop.Token);
            for (var i = 0; i < batch.Count; i++)
            {
                Settle(batch[i], outcomes[i]);
            }
        }
        catch (Exception exception)
        {
            activity?.SetStatus(ActivityStatusCode.Error, exception.Message);
            foreach (var entry in batch)
            {
                Settle(entry, new(null, exception as StorageException ?? new StorageException(
                    exception is OperationCanceledException ? StorageErrorCode.Unavailable : StorageErrorCode.Internal,
                    $"Volume '{entry.Command.Key.VolumeId}' in pool '{_pool}': {exception.Message}",
                    exception)));
            }
        }
    }

    private void Settle(Entry entry, PoolCommandOutcome outcome)
    {
        _done(entry.Command, outcome);
        if (_running.TryRemove(entry.Command.Key.VolumeId, out var running))
        {
            running.SetResult();
        }

        if (outcome.Error is null)
        {
            entry.Done.TrySetResult(outcome.Volume);
        }
        else
        {
            entry.Done.TrySetException(outcome.Error);
        }
    }

    private sealed record Entry(PoolCommand Command, ActivityContext Parent, CancellationToken Withdrawn)
    {
        public TaskCompletionSource<DiskVolume?> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
