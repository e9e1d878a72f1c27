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
    [InlineData(4)]
    public async Task The_scheduler_runs_pods_exactly_where_they_are_said_to_fit(int seed)
    {
        await using var cluster = new SchedulerCluster(fixture.Plane.Admin, seed);
        await cluster.MakeAsync();
        var random = new Random(seed);
        var pods = new RandomPods(random, cluster.Namespaces);
        var made = new Dictionary<string, V1Pod>();
        var running = new List<V1Pod>();
        var (refused, fitting) = (0, 0);
        for (var i = 0; i < Pods; i++)
        {
            V1Pod pod;
            var before = await cluster.ReadAsync();
            IReadOnlyList<NodeFit> fits;
            if (running.Count > 0 && pods.Chance(25))
            {
                // Asked while the old pod still runs, as failover does.
                var old = pods.Pick(running);
                fits = Evaluate(old, before);
                await cluster.RemoveAsync(old);
                running.Remove(old);
                pod = made[old.Name()];
            }
            else
            {
                pod = pods.Next($"pod-{i}");
                made[pod.Name()] = pod;
                fits = Evaluate(pod, before);
            }

            refused += fits.Count(f => !f.Fits);
            fitting += fits.Count(f => f.Fits);
            var story = $"Seed {seed}, step {i}: {Describe(pod, fits, before)}";
            await CompareAsync(cluster, pod, fits, random, story);
            if (await RunAsync(cluster, pod, fits, story) is { } now)
            {
                running.Add(now);
            }

            await ChangeAsync(cluster, pods, running);
        }

        // Otherwise nothing was tested.
        Assert.True(refused > Pods && fitting > Pods, $"refused {refused}, fitting {fitting}");
    }

    private static IReadOnlyList<NodeFit> Evaluate(V1Pod pod, ClusterState cluster) =>
        PodFit.Evaluate(pod, cluster, [], ImmutableHashSet<string>.Empty);

    // The nodes that were said not to fit all at once, and some of those that were.
    private static async Task CompareAsync(
        SchedulerCluster cluster, V1Pod pod, IReadOnlyList<NodeFit> fits, Random random, string story)
    {
        var bad = fits.Where(f => !f.Fits).Select(f => f.NodeName).ToList();
        if (bad.Count > 0)
        {
            var node = await cluster.ProbeAsync(pod, bad);
            Assert.True(node.Length == 0, $"It ran on {node}. {story}");
        }

        var good = fits.Where(f => f.Fits).Select(f => f.NodeName).ToArray();
        random.Shuffle(good);
        foreach (var node in good.Take(2))
        {
            var actual = await cluster.ProbeAsync(pod, [node]);
            Assert.True(actual == node, $"It did not run on {node}. {story}");
        }
    }

    /// <summary>Runs the pod itself; null when it cannot run.</summary>
    private static async Task<V1Pod?> RunAsync(
        SchedulerCluster cluster, V1Pod pod, IReadOnlyList<NodeFit> fits, string story)
    {
        var (now, node) = await cluster.ScheduleAsync(pod);
        var isRight = node.Length > 0 ? fits.Any(f => f.NodeName == node && f.Fits) : fits.All(f => !f.Fits);
        Assert.True(isRight, $"It ran on '{node}'. {story}");
        if (node.Length > 0)
        {
            return now;
        }

        await cluster.RemoveAsync(pod, settle: false);
        return null;
    }

    private static async Task ChangeAsync(SchedulerCluster cluster, RandomPods pods, List<V1Pod> running)
    {
        if (running.Count > 3 && pods.Chance(30))
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

    // A seed alone is not enough to come here again: among nodes that are as good, the scheduler throws dice.
    private static string Describe(V1Pod pod, IReadOnlyList<NodeFit> fits, ClusterState before) =>
        $"""
        {string.Join("; ", fits.Select(f => f.Fits ? $"node {f.NodeName} fits" : f.Obstacle))}
        pod: {KubernetesJson.Serialize(pod)}
        pods there: {KubernetesJson.Serialize(before.Pods)}
        """;
}
