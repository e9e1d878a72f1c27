using System.Diagnostics;
using System.Net.Http.Headers;

namespace Carina.Benchmarks.Webhook;

/// <summary>Requests to one path, and how long they took.</summary>
internal sealed class RequestArm(string name, HttpClient client, string path, byte[][] bodies)
{
    private static readonly MediaTypeHeaderValue _json = new("application/json");
    private readonly List<double[]> _rounds = [];
    private readonly List<double> _rates = [];

    /// <summary>
    /// So many requests a second for a while, each sent when its time has come, whether or not others are answered: who
    /// waits for answers does not see what waiting costs.
    /// </summary>
    public async Task RunSteadilyAsync(int rate, TimeSpan duration, bool record, CancellationToken cancellationToken)
    {
        var pending = new List<Task<double>>();
        var started = Stopwatch.GetTimestamp();
        var total = (int)(rate * duration.TotalSeconds);
        while (pending.Count < total)
        {
            var due = (int)(Stopwatch.GetElapsedTime(started).TotalSeconds * rate);
            while (pending.Count < Math.Min(due, total))
            {
                pending.Add(SendAsync(bodies[pending.Count % bodies.Length], cancellationToken));
            }

            await Task.Delay(1, cancellationToken);
        }

        var times = await Task.WhenAll(pending);
        if (record)
        {
            _rounds.Add([.. times.Order()]);
        }
    }

    /// <summary>As many requests as so many callers manage, each waiting for its answers.</summary>
    public async Task RunFlatOutAsync(int callers, TimeSpan duration, bool record, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        var counts = await Task.WhenAll(Enumerable.Range(0, callers).Select(async caller =>
        {
            var count = 0;
            for (; Stopwatch.GetElapsedTime(started) < duration; count++)
            {
                await SendAsync(bodies[(caller + (count * callers)) % bodies.Length], cancellationToken);
            }

            return count;
        }));
        if (record)
        {
            _rates.Add(counts.Sum() / Stopwatch.GetElapsedTime(started).TotalSeconds);
        }
    }

    /// <summary>Over all rounds, and the tail of each: what else a machine does at the time shows in single rounds.</summary>
    public override string ToString()
    {
        double[] all = [.. _rounds.SelectMany(r => r).Order()];
        return $"""
            {name}
                p50 {Quantile(all, 0.5):F2}, p99 {Quantile(all, 0.99):F2}, p99.9 {Quantile(all, 0.999):F2}, max {Quantile(all, 1):F2} ms (n = {all.Length}); flat out {Quantile([.. _rates.Order()], 0.5):F0} requests/s
                p99 by round: {string.Join(", ", _rounds.Select(r => $"{Quantile(r, 0.99):F2}"))} ms
            """;
    }

    private async Task<double> SendAsync(byte[] body, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = _json;
        using var response = await client.PostAsync(new Uri(path, UriKind.Relative), content, cancellationToken);
        response.EnsureSuccessStatusCode();
        await response.Content.CopyToAsync(Stream.Null, cancellationToken);
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }

    private static double Quantile(double[] sorted, double share) =>
        sorted.Length == 0 ? double.NaN : sorted[(int)Math.Round((sorted.Length - 1) * share)];
}
