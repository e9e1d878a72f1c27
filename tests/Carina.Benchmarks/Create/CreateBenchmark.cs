using System.Globalization;
using Carina.Harness.Cluster;
using Carina.Harness.Policies;
using Carina.Harness.Processes;

namespace Carina.Benchmarks.Create;

/// <summary>
/// What making a volume costs, beside what an <c>lvcreate</c> process costs: same kernel, same run, measured in turn.
/// The whole way is a CSI call to the controller's socket, on to grains, ledger and the node's process, to the disk and
/// back; with the controller, one node and one client as processes of this machine.
/// </summary>
internal static class CreateBenchmark
{
    private const long Bytes = 64 << 20;
    private const int AtATime = 8;

    // The judged targets.
    private const double MostTime = 0.5;
    private const double LeastThroughput = 3;

    /// <returns>0 when both targets are met.</returns>
    public static async Task<int> RunAsync(int rounds, CancellationToken cancellationToken)
    {
        await using var cluster = await EmbeddedCluster.StartAsync(
            new() { Policy = StoragePolicy.Lvm, Nodes = [new NodeSpec("node-1", 4L << 30)] }, cancellationToken);
        await using var backend = await DirectBackend.OpenAsync(2L << 30, cancellationToken);

        var bare = new Arm("bare lvcreate, one process", 1, () => BareAsync(cluster, 1), () => RemoveBareAsync(cluster, 1));
        var bareRow = new Arm($"bare lvcreate, {AtATime} processes in a row", AtATime, () => BareAsync(cluster, AtATime), () => RemoveBareAsync(cluster, AtATime));
        var one = new Arm("LVM backend, one volume", 1, () => backend.CreateAsync(1, Bytes), () => backend.DeleteAsync(1));
        var batch = new Arm($"LVM backend, {AtATime} volumes in a batch", AtATime, () => backend.CreateAsync(AtATime, Bytes), () => backend.DeleteAsync(AtATime));
        var volumes = new ClaimedVolumes(cluster, Bytes);
        var csi = new Arm("CreateVolume through CSI, one", 1, () => volumes.CreateAsync(1), volumes.DeleteAsync);
        var csiBatch = new Arm($"CreateVolume through CSI, {AtATime} at a time", AtATime, () => volumes.CreateAsync(AtATime), volumes.DeleteAsync);
        Arm[] arms = [bare, csi, one, bareRow, csiBatch, batch];
        await Measurement.RunAsync(arms, rounds, cancellationToken);

        Console.WriteLine($"Volumes of {Bytes >> 20} MiB; bare: lvcreate -y -W y -n NAME -L {Bytes >> 20}M GROUP, with this machine's lvm.conf.");
        foreach (var arm in arms)
            Console.WriteLine(arm);

        Console.WriteLine();
        var met = Compare("CreateVolume through CSI / bare lvcreate, median time", csi.Median / bare.Median, ratio => ratio <= MostTime, $"at most {MostTime}");
        met &= Compare($"CreateVolume, {AtATime} at a time / bare lvcreate in a row, throughput", csiBatch.Throughput / bareRow.Throughput, ratio => ratio >= LeastThroughput, $"at least {LeastThroughput}");
        return met ? 0 : 1;
    }

    private static bool Compare(string what, double ratio, Func<double, bool> isMet, string target)
    {
        var met = isMet(ratio);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{what,-66} {ratio,6:F2}   ({target}: {(met ? "met" : "MISSED")})"));
        return met;
    }

    private static async Task BareAsync(EmbeddedCluster cluster, int count)
    {
        for (var i = 0; i < count; i++)
        {
            await Command.RunAsync(
                "lvcreate", ["-y", "-W", "y", "-n", $"bare-{i}", "-L", $"{Bytes >> 20}M", cluster.Pool], CancellationToken.None);
        }
    }

    private static Task<string> RemoveBareAsync(EmbeddedCluster cluster, int count) => Command.RunAsync(
        "lvremove", ["-qf", .. Enumerable.Range(0, count).Select(i => $"{cluster.Pool}/bare-{i}")], CancellationToken.None);
}
