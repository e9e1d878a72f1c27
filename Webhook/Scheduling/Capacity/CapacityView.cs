using Carina.Grains.Nodes;
using Microsoft.Extensions.Options;

namespace Carina.Webhook.Scheduling.Capacity;

/// <summary>
/// What the ledgers said a moment ago: pods come in bursts, and each is asked about twice. A reading is at most
/// <see cref="SchedulingOptions.CapacityAge"/> old, and older than no bound claim that was seen: from then on the claim is
/// no longer counted as expected, so the ledgers must have been asked since.
/// </summary>
internal sealed class CapacityView(ICapacitySource source, IOptions<SchedulingOptions> options, TimeProvider time)
{
    private readonly Lock _starting = new();
    private long _version;
    private Reading? _latest;

    /// <summary>What was read before does not count any more.</summary>
    public void Invalidate() => Interlocked.Increment(ref _version);

    /// <param name="awaited">Volumes that are expected; asked about when the ledgers are asked anew.</param>
    /// <param name="cancellationToken">Ends the waiting, not the reading, which others may wait for.</param>
    public Task<IReadOnlyList<NodeCapacity>> ReadAsync(
        Func<Dictionary<string, List<string>>> awaited, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(awaited);
        Reading reading;
        lock (_starting)
        {
            var version = Interlocked.Read(ref _version);
            if (_latest is null || _latest.Version != version || _latest.Task.IsFaulted || _latest.Task.IsCanceled
                || time.GetElapsedTime(_latest.Started) > options.Value.CapacityAge)
            {
                // Not under the lock's thread: the source may answer at once.
                _latest = new(version, time.GetTimestamp(), Task.Run(() => StartAsync(awaited()), CancellationToken.None));
            }

            reading = _latest;
        }

        return reading.Task.WaitAsync(cancellationToken);
    }

    private async Task<IReadOnlyList<NodeCapacity>> StartAsync(Dictionary<string, List<string>> awaited)
    {
        using var limit = new CancellationTokenSource(options.Value.AnswerTimeout, time);
        return await source.ReadAsync(awaited, limit.Token).ConfigureAwait(false);
    }

    private sealed record Reading(long Version, long Started, Task<IReadOnlyList<NodeCapacity>> Task);
}
