using System.Globalization;
using System.Text.RegularExpressions;
using Carina.Grains.Agents;
using Carina.Grains.Configuration;
using Carina.Grains.Volumes;
using Carina.Silo.Backends;
using Carina.Silo.Backends.Lvm;
using Carina.Silo.Lvm;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carina.Benchmarks.Create;

/// <summary>
/// What making a volume costs, beside what an <c>lvcreate</c> process costs: same kernel, same volume group, same run,
/// measured in turn.
/// </summary>
internal static class CreateBenchmark
{
    private const long Bytes = 64 << 20;
    private const int AtATime = 8;

    public static async Task<int> RunAsync(string[] options)
    {
        var rounds = Option(options, "--rounds", 15);
        using var group = VolumeGroup.Make(Option(options, "--disk-mib", 2048));
        await using var backend = await OpenBackendAsync(group);

        var bare = new Arm("bare lvcreate -y -W y, one process", 1, () => Bare(group, 1), () => RemoveBare(group, 1));
        var bareRow = new Arm($"bare lvcreate -y -W y, {AtATime} processes in a row", AtATime, () => Bare(group, AtATime), () => RemoveBare(group, AtATime));
        var one = new Arm("backend, one volume", 1, () => CreateAsync(backend, group, 1), () => DeleteAsync(backend, group, 1));
        var batch = new Arm($"backend, {AtATime} volumes in a batch", AtATime, () => CreateAsync(backend, group, AtATime), () => DeleteAsync(backend, group, AtATime));
        Arm[] arms = [bare, bareRow, one, batch];
        await Measurement.RunAsync(arms, rounds);

        foreach (var arm in arms)
            Console.WriteLine(arm);

        Console.WriteLine();
        Compare("time of one volume / time of one bare lvcreate", one.Median / bare.Median);
        Compare($"throughput of {AtATime} at a time / of bare lvcreate in a row", batch.Throughput / bareRow.Throughput);
        return 0;
    }

    private static void Compare(string what, double ratio) =>
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what,-62} {ratio,9:F2}"));

    private static int Option(string[] options, string name, int otherwise) =>
        Array.IndexOf(options, name) is >= 0 and var at && at + 1 < options.Length
            ? int.Parse(options[at + 1], CultureInfo.InvariantCulture)
            : otherwise;

    private static Task Bare(VolumeGroup group, int count)
    {
        for (var i = 0; i < count; i++)
            VolumeGroup.Run("lvcreate", "-y", "-W", "y", "-n", $"bare-{i}", "-L", $"{Bytes}b", group.Name);

        return Task.CompletedTask;
    }

    private static Task RemoveBare(VolumeGroup group, int count)
    {
        VolumeGroup.Run("lvremove", ["-qf", .. Enumerable.Range(0, count).Select(i => $"{group.Name}/bare-{i}")]);
        return Task.CompletedTask;
    }

    private static Task CreateAsync(LvmBackend backend, VolumeGroup group, int count) =>
        ExecuteAsync(backend, group, count, PoolCommandKind.Create, Bytes);

    private static Task DeleteAsync(LvmBackend backend, VolumeGroup group, int count) =>
        ExecuteAsync(backend, group, count, PoolCommandKind.Delete, 0);

    private static async Task ExecuteAsync(LvmBackend backend, VolumeGroup group, int count, PoolCommandKind kind, long bytes)
    {
        var commands = Enumerable.Range(0, count)
            .Select(i => new PoolCommand(kind, new DiskVolumeKey($"volume-pvc-{i}", group.Name, 1), bytes))
            .ToList();
        foreach (var outcome in await backend.ExecuteAsync(group.Name, commands, CancellationToken.None))
        {
            if (outcome.Error is not null)
                throw outcome.Error;
        }
    }

    private static async Task<LvmBackend> OpenBackendAsync(VolumeGroup volumeGroup)
    {
        var backend = new LvmBackend(
            new LvmOptions { Directory = volumeGroup.RuntimeDirectory },
            new DevicePatterns(""),
            new NoDisks(),
            new NoCrashPoints(),
            TimeProvider.System,
            NullLoggerFactory.Instance);
        var reports = await backend.ScanAsync(
            [new DiskGroup { Name = volumeGroup.Name, Policy = PoolPolicy.Lvm, Patterns = [new Regex("$.")] }], CancellationToken.None);
        return reports[0].Problem.Length == 0 ? backend : throw new InvalidOperationException(reports[0].Problem);
    }

    private sealed class NoDisks : IBlankDisks
    {
        public Task<IReadOnlyList<CandidateDisk>> FindAsync(CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<CandidateDisk>>([]);
    }
}
