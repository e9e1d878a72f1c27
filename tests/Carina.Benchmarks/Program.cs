using Carina.Benchmarks.Create;

switch (args)
{
    case ["create", .. var options]:
        return await CreateBenchmark.RunAsync(options);
    default:
        await Console.Error.WriteLineAsync(
            """
            Usage: Carina.Benchmarks create [--rounds N] [--disk-mib N]

            create   Volume creation against bare lvcreate processes on the same volume group. Needs root and a kernel with
                     device-mapper: tests/lab/uml -- dotnet .../Carina.Benchmarks.dll create
            """);
        return 2;
}
