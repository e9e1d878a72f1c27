using System.Diagnostics;
using System.Globalization;
using Carina.Harness.Cluster;
using Carina.Harness.Failover;
using Carina.Harness.Kubernetes;
using k8s;
using k8s.Models;

namespace Carina.Benchmarks.Failover;

/// <summary>
/// Time from an event to the successor of a pod being scheduled, and to its volume being ready for it on the new node:
/// three nodes against a whole control plane on this machine.
/// </summary>
internal static class FailoverBenchmark
{
    private const string Cabled = FailoverLab.CabledNode;
    private const string KubeletNode = "node-1";
    private const string Slow = "{}";
    private static readonly TimeSpan _lapse = TimeSpan.FromSeconds(18);
    private static readonly TimeSpan _limit = TimeSpan.FromMinutes(2);

    /// <param name="Name">What happens.</param>
    /// <param name="Node">To which node.</param>
    /// <param name="Failover">The operator's settings.</param>
    /// <param name="HappenAsync">Makes it happen; its end is the event that the time counts from.</param>
    /// <param name="MendAsync">Makes the node whole again.</param>
    private sealed record Arm(
        string Name, string Node, string Failover, Func<FailoverLab, CancellationToken, Task> HappenAsync, Func<FailoverLab, Task> MendAsync)
    {
        public List<double> Scheduled { get; } = [];

        public List<double> Ready { get; } = [];
    }

    private static readonly Arm[] _arms =
    [
        new("kubelet stopped, from NotReady on", KubeletNode, Slow,
            (lab, _) => lab.StopKubeletAsync(KubeletNode),
            lab => lab.StartKubeletAsync(KubeletNode)),
        new("power cut, from NotReady on", Cabled, Slow,
            async (lab, stop) =>
            {
                // Kubernetes takes longer to notice than the lease to lapse.
                await lab.CutPowerAsync();
                await Task.Delay(_lapse, stop);
                await lab.StopKubeletAsync(Cabled);
            },
            lab => lab.ReviveAsync()),
        new("power cut, fast detection, from the cut on", Cabled, FailoverLab.Failover,
            (lab, _) => lab.CutPowerAsync(),
            lab => lab.ReviveAsync()),
        new("partition, fast detection, from the cut on", Cabled, FailoverLab.Failover,
            async (lab, stop) =>
            {
                await lab.Cable.CutAsync(Cut.All, stop);
                lab.SilenceKubelet(Cabled);
            },
            lab => lab.ReviveAsync()),
    ];

    public static async Task<int> RunAsync(int rounds, CancellationToken stop)
    {
        await using var lab = new FailoverLab(() => stop, diskBytes: 32L << 30);
        await lab.StartAsync();
        for (var round = 1; round <= rounds; round++)
        {
            foreach (var (number, arm) in _arms.Index())
            {
                await MeasureAsync(lab, arm, $"bench-{number}-{round}", stop);
                await Console.Error.WriteLineAsync(string.Create(
                    CultureInfo.InvariantCulture, $"round {round} of {rounds}: {arm.Name}: {arm.Scheduled[^1]:F1} s, {arm.Ready[^1]:F1} s"));
            }
        }

        foreach (var arm in _arms)
        {
            Console.WriteLine(Describe(arm.Name + ": scheduled", arm.Scheduled));
            Console.WriteLine(Describe(arm.Name + ": volume ready", arm.Ready));
        }

        return 0;
    }

    private static async Task MeasureAsync(FailoverLab lab, Arm arm, string name, CancellationToken stop)
    {
        await lab.Cluster.SetFailoverAsync(arm.Failover, stop);
        var (volume, before) = await lab.RunAsync(name, arm.Node);

        // Renewals are not to be in step with what has just happened.
        await Task.Delay(TimeSpan.FromSeconds(Random.Shared.NextDouble() * 3), stop);
        await arm.HappenAsync(lab, stop);
        var happened = Stopwatch.GetTimestamp();
        await Eventually.ReadAsync(
            "the successor to be scheduled",
            () => lab.Api.CoreV1.ReadNamespacedPodAsync(before.Metadata.Name, FailoverLab.Namespace, cancellationToken: stop),
            pod => pod.Metadata.Uid != before.Metadata.Uid && pod.Spec.NodeName is { Length: > 0 },
            stop,
            _limit);
        arm.Scheduled.Add(Stopwatch.GetElapsedTime(happened).TotalSeconds);
        await lab.WaitUntilMovedAsync(before, _limit);
        arm.Ready.Add(Stopwatch.GetElapsedTime(happened).TotalSeconds);
        await lab.WaitUntilSettledAsync(volume);
        await arm.MendAsync(lab);
        await lab.Api.AppsV1.DeleteNamespacedStatefulSetAsync(name, FailoverLab.Namespace, cancellationToken: stop);
        await Eventually.ReadAsync(
            "the pod to go",
            () => lab.Api.CoreV1.ListNamespacedPodAsync(FailoverLab.Namespace, cancellationToken: stop),
            (V1PodList pods) => pods.Items.Count == 0,
            stop);
    }

    private static string Describe(string name, List<double> seconds)
    {
        var sorted = seconds.Order().ToArray();
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{name,-58} min {At(0):F1} s, median {At(0.5):F1} s, 90 % {At(0.9):F1} s, max {At(1):F1} s (n = {sorted.Length})");

        double At(double share) => sorted[(int)Math.Round((sorted.Length - 1) * share)];
    }
}
