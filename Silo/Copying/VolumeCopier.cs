using System.Collections.Concurrent;
using System.Diagnostics;
using System.Security.Cryptography;
using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Telemetry;
using Carina.Silo.Agents;
using Carina.Silo.Backends;
using Carina.Silo.Fencing;
using Microsoft.Extensions.Options;

namespace Carina.Silo.Copying;

/// <summary>
/// The sending end of a copy: reads a volume of this node, compares it block by block with what the other node has, and
/// sends what differs. Nothing is remembered that has to survive: a copy that is begun anew finds what is equal already.
/// </summary>
internal sealed partial class VolumeCopier(
    DiskAgent agent,
    FencedVolumes fenced,
    ICopyTargets targets,
    IOptions<SiloOptions> silo,
    TimeProvider time,
    ILogger<VolumeCopier> logger) : IAsyncDisposable
{
    private const int PartsAtOnce = 3;
    private const int MaxKept = 100;
    private static readonly TimeSpan _answerWithin = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<CopyOrder, Job> _jobs = new();
    private readonly CancellationTokenSource _stop = new();

    /// <inheritdoc cref="INodeExecutor.CopyAsync"/>
    public async Task<CopyProgress> CopyAsync(CopyOrder order, CancellationToken cancellationToken)
    {
        // What reads while somebody writes cannot be exact.
        if (order.Pass > 1 && !fenced.Confirmed.Any(f => f.VolumeId == order.From.VolumeId && f.Generation >= order.From.Generation))
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"Volume '{order.From.VolumeId}' is not cut off on node '{silo.Value.NodeName}'; while it may be written to, no copy of it is exact.");
        }

        var job = _jobs.GetOrAdd(order, static (o, self) => new Job(job => self.RunAsync(o, job)), this);
        var running = job.Running;
        await Task.WhenAny(running, Task.Delay(_answerWithin, time, cancellationToken)).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        if (!running.IsCompleted)
            return job.State;

        if (running.IsCompletedSuccessfully)
        {
            Forget();
            return job.State;
        }

        // Asked for again, it begins anew.
        _jobs.TryRemove(KeyValuePair.Create(order, job));
        var problem = running.Exception?.GetBaseException();
        return job.State with { Problem = problem?.Message ?? "it was cancelled" };
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(_jobs.Values.Select(job => job.Running)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task RunAsync(CopyOrder order, Job job)
    {
        using var activity = CarinaTelemetry.StartVolumeSpan("copy volume", order.From.VolumeId);
        var started = time.GetTimestamp();
        var backend = agent.BackendOf(order.From.Pool);
        using var content = await agent.ContentsOf(order.From.Pool).OpenForReadingAsync(order.From, _stop.Token).ConfigureAwait(false);
        job.Begin(content.Bytes);
        var target = targets.Find(order.ToNode);
        await Parallel.ForEachAsync(
            Parts(content.Bytes),
            new ParallelOptions { MaxDegreeOfParallelism = PartsAtOnce, CancellationToken = _stop.Token },
            async (part, stop) => await CopyPartAsync(order, content, target, job, part.Offset, part.Bytes, stop).ConfigureAwait(false))
            .ConfigureAwait(false);
        var formatted = backend is IFormatMemory memory && await memory.WasFormattedAsync(order.From, _stop.Token).ConfigureAwait(false);
        if (order.Pass > 1)
            await target.FinishCopyAsync(order.To, formatted, _stop.Token).ConfigureAwait(false);

        job.End();
        LogCopied(
            order.From.VolumeId, order.From.Generation, order.ToNode, order.Pass, job.State.TotalBytes, job.State.SentBytes,
            time.GetElapsedTime(started).TotalSeconds);
    }

    private static async Task CopyPartAsync(
        CopyOrder order, VolumeContent content, INodeAgent target, Job job, long offset, int bytes, CancellationToken stop)
    {
        var buffer = VolumeContent.AllocateBuffer(bytes);
        var mine = await OwnThread.RunAsync(() =>
        {
            content.Read(offset, buffer.Span);
            return CopyWriter.Hash(buffer.Span);
        }).ConfigureAwait(false);
        var theirs = await target.HashBlocksAsync(order.To, offset, bytes, stop).ConfigureAwait(false);
        var sent = 0L;
        foreach (var (start, length) in Differences(mine, theirs, bytes))
        {
            await target.WriteBlocksAsync(order.To, offset + start, buffer.Slice(start, length).ToArray(), stop).ConfigureAwait(false);
            sent += length;
        }

        // Read back from the disk: an exact copy is one that was seen to be.
        if (sent > 0 && order.Pass > 1)
        {
            theirs = await target.HashBlocksAsync(order.To, offset, bytes, stop).ConfigureAwait(false);
            if (!theirs.AsSpan().SequenceEqual(mine))
            {
                throw new StorageException(
                    StorageErrorCode.Internal,
                    $"Node '{order.ToNode}' reads something else at {offset} of volume '{order.To.VolumeId}' than was written there. Its disk may be failing.");
            }
        }

        job.Add(offset, bytes, sent, mine);
    }

    /// <summary>Stretches of neighbouring blocks that differ.</summary>
    private static IEnumerable<(int Start, int Length)> Differences(byte[] mine, byte[] theirs, int bytes)
    {
        var start = -1;
        var blocks = mine.Length / SHA256.HashSizeInBytes;
        for (var block = 0; block <= blocks; block++)
        {
            var at = block * SHA256.HashSizeInBytes;
            var differs = block < blocks
                && !mine.AsSpan(at, SHA256.HashSizeInBytes).SequenceEqual(theirs.AsSpan(at, SHA256.HashSizeInBytes));
            if (differs && start < 0)
            {
                start = block;
            }
            else if (!differs && start >= 0)
            {
                yield return (start * CopyOrder.BlockBytes, Math.Min(bytes, block * CopyOrder.BlockBytes) - start * CopyOrder.BlockBytes);
                start = -1;
            }
        }
    }

    private static IEnumerable<(long Offset, int Bytes)> Parts(long total)
    {
        for (var offset = 0L; offset < total; offset += CopyWriter.MaxPart)
            yield return (offset, (int)Math.Min(CopyWriter.MaxPart, total - offset));
    }

    // Whoever asked has heard of it; a few are kept for those that ask twice.
    private void Forget()
    {
        foreach (var (order, _) in _jobs.Where(job => job.Value.Running.IsCompleted).OrderBy(job => job.Value.EndedAt).Take(Math.Max(0, _jobs.Count - MaxKept)))
            _jobs.TryRemove(order, out _);
    }

    [LoggerMessage(1, LogLevel.Information,
        "Volume {VolumeId}, generation {Generation}: compared with its copy on node {Node} (pass {Pass}): {Total} bytes, {Sent} sent, in {Seconds} s")]
    private partial void LogCopied(string volumeId, long generation, string node, int pass, long total, long sent, double seconds);

    /// <summary>One copy under way.</summary>
    private sealed class Job
    {
        private readonly Lock _lock = new();
        private readonly Lazy<Task> _running;
        private byte[] _hashes = [];

        public Job(Func<Job, Task> run) => _running = new(() => Task.Run(() => run(this)));

        public Task Running => _running.Value;

        public CopyProgress State { get; private set; } = new() { TotalBytes = 0, DoneBytes = 0, SentBytes = 0 };

        public long EndedAt { get; private set; }

        public void Begin(long total)
        {
            _hashes = new byte[(total + CopyOrder.BlockBytes - 1) / CopyOrder.BlockBytes * SHA256.HashSizeInBytes];
            State = State with { TotalBytes = total };
        }

        public void Add(long offset, int bytes, long sent, byte[] hashes)
        {
            lock (_lock)
            {
                hashes.CopyTo(_hashes, offset / CopyOrder.BlockBytes * SHA256.HashSizeInBytes);
                State = State with { DoneBytes = State.DoneBytes + bytes, SentBytes = State.SentBytes + sent };
            }
        }

        public void End()
        {
            EndedAt = Stopwatch.GetTimestamp();
            State = State with { IsDone = true, Checksum = Convert.ToHexStringLower(SHA256.HashData(_hashes)) };
        }
    }
}
