using System.Globalization;
using Carina.Benchmarks.Create;

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
    default:
        await Console.Error.WriteLineAsync(
            """
            Usage: Carina.Benchmarks create [--rounds N]

            create   Volume creation, through CSI and in the LVM backend alone, against bare lvcreate processes. Needs root
                     and a kernel with device-mapper:
                     tests/lab/uml --mem 4G -- dotnet tests/Carina.Benchmarks/bin/Release/net10.0/Carina.Benchmarks.dll create
            """);
        return 2;
}
