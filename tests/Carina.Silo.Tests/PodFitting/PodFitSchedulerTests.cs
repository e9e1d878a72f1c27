using System.Collections.Immutable;
using Carina.Kubernetes.PodFit;
using k8s;
using k8s.Models;

namespace Carina.Silo.Tests.PodFitting;

/// <summary>What is said of a replacement pod against what a real kube-scheduler does with it.</summary>
public sealed class PodFitSchedulerTests(SchedulerFixture fixture) : IClassFixture<SchedulerFixture>
{
    private const int Pods = 24;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task The_scheduler_runs_pods_exactly_where_they_are_said_to_fit(int seed)
    {
        await using var cluster = new SchedulerCluster(fixture.Plane.Admin, seed);
        await cluster.MakeAsync();
        var random = new Random(seed);
        var pods = new RandomPods(random, cluster.Namespaces);
        var made = new Dictionary<string, V1Pod>();
        var running = new List<V1Pod>();
        var refused = 0;
        for (var i = 0; i < Pods; i++)
        {
            V1Pod pod;
            IReadOnlyList<NodeFit> fits;
            if (running.Count > 0 && pods.Chance(25))
            {
                // Asked while the old pod still runs, as failover does.
                var old = pods.Pick(running);
                fits = Evaluate(old, await cluster.ReadAsync());
                await cluster.RemoveAsync(old);
                running.Remove(old);
                pod = made[old.Name()];
            }
            else
            {
                pod = pods.Next($"pod-{i}");
                made[pod.Name()] = pod;
                fits = Evaluate(pod, await cluster.ReadAsync());
            }

            refused += fits.Any(f => f.Fits) ? 0 : 1;
            await CompareAsync(cluster, pod, fits, random, $"seed {seed}, step {i}");
            if (await RunAsync(cluster, pod, fits, $"seed {seed}, step {i}") is { } now)
            {
                running.Add(now);
            }

            await ChangeAsync(cluster, pods, running);
        }

        // Otherwise nothing was tested.
        Assert.InRange(refused, 1, Pods / 2);
    }

    private static IReadOnlyList<NodeFit> Evaluate(V1Pod pod, ClusterState cluster) =>
        PodFit.Evaluate(pod, cluster, [], ImmutableHashSet<string>.Empty);

    // The nodes that were said not to fit all at once, and some of those that were.
    private static async Task CompareAsync(
        SchedulerCluster cluster, V1Pod pod, IReadOnlyList<NodeFit> fits, Random random, string when)
    {
        var bad = fits.Where(f => !f.Fits).Select(f => f.NodeName).ToList();
        if (bad.Count > 0)
        {
            var node = await cluster.ProbeAsync(pod, bad);
            Assert.True(node.Length == 0, $"{when}: it ran on {node}. {Describe(pod, fits)}");
        }

        var good = fits.Where(f => f.Fits).Select(f => f.NodeName).ToArray();
        random.Shuffle(good);
        foreach (var node in good.Take(2))
        {
            var actual = await cluster.ProbeAsync(pod, [node]);
            Assert.True(actual == node, $"{when}: it did not run on {node}. {Describe(pod, fits)}");
        }
    }

    /// <summary>Runs the pod itself; null when it cannot run.</summary>
    private static async Task<V1Pod?> RunAsync(
        SchedulerCluster cluster, V1Pod pod, IReadOnlyList<NodeFit> fits, string when)
    {
        var (now, node) = await cluster.ScheduleAsync(pod);
        var isRight = node.Length > 0 ? fits.Any(f => f.NodeName == node && f.Fits) : fits.All(f => !f.Fits);
        Assert.True(isRight, $"{when}: it ran on '{node}'. {Describe(pod, fits)}");
        if (node.Length > 0)
        {
            return now;
        }

        await cluster.RemoveAsync(pod, settle: false);
        return null;
    }

    private static async Task ChangeAsync(SchedulerCluster cluster, RandomPods pods, List<V1Pod> running)
    {
        if (running.Count > 3 && pods.Chance(20))
        {
            var pod = pods.Pick(running);
            running.Remove(pod);
            await (pods.Chance(50) ? cluster.BeginRemovalAsync(pod) : cluster.EndAsync(pod, pods.Pick("Succeeded", "Failed")));
        }

        if (pods.Chance(10))
        {
            await cluster.CordonAsync(pods.Pick("node-0", "node-2", "node-3"), pods.Chance(50));
        }
    }

    private static string Describe(V1Pod pod, IReadOnlyList<NodeFit> fits) =>
        $"{string.Join("; ", fits.Select(f => f.Fits ? $"node {f.NodeName} fits" : f.Obstacle))}\n{KubernetesJson.Serialize(pod)}";
}
