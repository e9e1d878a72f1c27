using Carina.Webhook;

namespace Carina.Benchmarks.Webhook;

/// <summary>
/// Latency of the mutating webhook at a fixed rate, and its throughput, over HTTPS with one kept HTTP/2 connection on
/// loopback. Beside it, as baseline, an endpoint on the same port that reads the same bodies and does nothing.
/// </summary>
internal static class WebhookBenchmark
{
    private const int Rate = 500;
    private const int Callers = 16;
    private static readonly TimeSpan _steady = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan _flatOut = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan _startLimit = TimeSpan.FromSeconds(60);

    public static async Task<int> RunAsync(int rounds, CancellationToken cancellationToken)
    {
        await using var server = await WebhookServer.StartAsync(cancellationToken);
        using var client = server.CreateClient();
        await WaitUntilServedAsync(client, cancellationToken);
        var bodies = ReviewBodies.Make(1000);
        RequestArm[] arms =
        [
            new("empty handler (baseline)", client, WebhookServer.EmptyPath, bodies),
            new("POST /pod/mutate", client, WebhookPaths.MutatePods, bodies),
        ];

        // The first round does not count: the runtime compiles what it has seen often enough anew.
        for (var round = 0; round <= rounds; round++)
        {
            foreach (var arm in round % 2 == 0 ? arms : arms.Reverse())
            {
                await arm.RunSteadilyAsync(Rate, _steady, round > 0, cancellationToken);
                await arm.RunFlatOutAsync(Callers, _flatOut, round > 0, cancellationToken);
            }

            await Console.Error.WriteLineAsync(round == 0 ? "warming up" : $"round {round} of {rounds}");
        }

        Console.WriteLine(
            $"{Rate} requests/s, reviews of {bodies.Average(b => b.Length) / 1024:F1} KiB, {ClusterObjects.Claims} claims in the cluster, client in the same process, {Environment.ProcessorCount} processors, load {(await File.ReadAllTextAsync("/proc/loadavg", cancellationToken)).Split(' ')[0]}");
        foreach (var arm in arms)
        {
            Console.WriteLine(arm);
        }

        return 0;
    }

    private static async Task WaitUntilServedAsync(HttpClient client, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_startLimit);
        while (true)
        {
            try
            {
                using var response = await client.GetAsync(new Uri("/", UriKind.Relative), limit.Token);
                return;
            }
            catch (HttpRequestException)
            {
                // The certificate is being read.
                await Task.Delay(50, limit.Token);
            }
        }
    }
}
