using System.Diagnostics;

namespace Carina.Benchmarks;

/// <summary>One way to do the job, measured once per round; the rounds of all arms are interleaved.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Volumes">Volumes that one measurement makes.</param>
/// <param name="RunAsync">Does it; this is what is timed.</param>
/// <param name="CleanUpAsync">Undoes it, untimed.</param>
internal sealed record Arm(string Name, int Volumes, Func<Task> RunAsync, Func<Task> CleanUpAsync)
{
    private readonly List<double> _milliseconds = [];

    public double Median => Quantile(0.5);

    /// <summary>Volumes per second, by the median.</summary>
    public double Throughput => Volumes * 1000 / Median;

    public async Task MeasureAsync(bool record)
    {
        var started = Stopwatch.GetTimestamp();
        await RunAsync();
        var elapsed = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        await CleanUpAsync();
        if (record)
            _milliseconds.Add(elapsed);
    }

    public override string ToString() =>
        $"{Name,-62} {Median,9:F1} ms   (10 % {Quantile(0.1):F1}, 90 % {Quantile(0.9):F1}, n = {_milliseconds.Count})   {Throughput,7:F1} volumes/s";

    private double Quantile(double share)
    {
        var sorted = _milliseconds.Order().ToArray();
        return sorted.Length == 0 ? double.NaN : sorted[(int)Math.Round((sorted.Length - 1) * share)];
    }
}

/// <summary>Runs arms in turn.</summary>
internal static class Measurement
{
    // The runtime compiles what it has seen often enough anew.
    private const int WarmUps = 2;

    /// <summary>Measures every arm once per round, after rounds that do not count.</summary>
    public static async Task RunAsync(IReadOnlyList<Arm> arms, int rounds, CancellationToken cancellationToken)
    {
        for (var round = -WarmUps; round < rounds; round++)
        {
            // Each arm in each place: what the one before it left in caches is everybody's turn.
            for (var i = 0; i < arms.Count; i++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                await arms[(i + Math.Max(0, round)) % arms.Count].MeasureAsync(round >= 0);
            }

            await Console.Error.WriteLineAsync(round < 0 ? "warming up" : $"round {round + 1} of {rounds}");
        }
    }
}
