using System.Globalization;
using Carina.Benchmarks.Create;
using Carina.Benchmarks.Failover;
using Carina.Benchmarks.Webhook;

using var interrupted = new CancellationTokenSource();
Console.CancelKeyPress += (_, press) =>
{
    press.Cancel = true;
    interrupted.Cancel();
};

switch (args)
{
    case ["create"]:
        return await CreateBenchmark.RunAsync(15, interrupted.Token);
    case ["create", "--rounds", var rounds] when int.TryParse(rounds, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0:
        return await CreateBenchmark.RunAsync(count, interrupted.Token);
    case ["webhook"]:
        return await WebhookBenchmark.RunAsync(5, interrupted.Token);
    case ["webhook", "--rounds", var rounds] when int.TryParse(rounds, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0:
        return await WebhookBenchmark.RunAsync(count, interrupted.Token);
    case ["failover"]:
        return await FailoverBenchmark.RunAsync(20, interrupted.Token);
    case ["failover", "--rounds", var rounds] when int.TryParse(rounds, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0:
        return await FailoverBenchmark.RunAsync(count, interrupted.Token);
    default:
        await Console.Error.WriteLineAsync(
            """
            Usage: Carina.Benchmarks create|webhook|failover [--rounds N]

            create   Volume creation, through CSI and in the LVM backend alone, against bare lvcreate processes. Needs root
                     and a kernel with device-mapper:
                     tests/lab/uml --mem 4G -- dotnet tests/Carina.Benchmarks/bin/Release/net10.0/Carina.Benchmarks.dll create
            webhook  Latency of the mutating webhook at 500 requests/s over HTTPS, beside an empty handler. Needs nothing.
            failover Time until a pod of a lost node is scheduled elsewhere with its volume ready, for several ways to lose it.
                     Needs root, loop devices, network namespaces, and a control plane (KUBEBUILDER_ASSETS). 20 rounds take
                     some 45 minutes.
            """);
        return 2;
}
