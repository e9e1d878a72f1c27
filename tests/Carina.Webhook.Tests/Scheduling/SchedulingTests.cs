using System.Globalization;
using System.Text.Json.Nodes;
using Carina.Grains.Configuration;
using Carina.Webhook.Tests.Scheduling.Lab;
using k8s;
using k8s.Models;

namespace Carina.Webhook.Tests.Scheduling;

/// <summary>Pods, real schedulers and real ledgers.</summary>
[Collection(SchedulingCollection.Name)]
public sealed class SchedulingTests(SchedulingLab lab) : SchedulingTest(lab)
{
    [Fact]
    public async Task Of_twenty_pods_at_once_run_as_many_as_there_is_room_for_and_the_others_learn_what_is_missing()
    {
        Lab.UseStrategy(SchedulerStrategy.Spreadout);
        var nodes = new[] { await AddNodeAsync("1", (Group, 42)), await AddNodeAsync("2", (Group, 42)), await AddNodeAsync("3", (Group, 42)) };
        var before = Lab.Provisioner.Exhausted.Count;
        await Task.WhenAll(Enumerable.Range(0, 20).Select(i =>
            AddPodWithClaimAsync(string.Create(CultureInfo.InvariantCulture, $"pod-{i:00}"), "10Gi")));

        var texts = nodes.Select(n => $"carina: {n}: group {Group} has 2 GiB left, the pod's claim asks for 10 GiB").ToList();
        var pods = await WaitForPodsAsync("12 pods to run and 8 to know why not", all =>
            all.Count(p => p.Status.Phase == "Running") == 12
            && all.Count(p => RefusalOf(p) is { } refusal && texts.All(t => refusal.Contains(t, StringComparison.Ordinal))) == 8);
        Assert.All(nodes, node => Assert.Equal(4, pods.Count(p => p.Spec.NodeName == node)));
        await RequireVolumesUnderPodsAsync();
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"Claims that went back to the scheduler: {Lab.Provisioner.Exhausted.Count - before}");

        var waiting = pods.First(p => p.Status.Phase != "Running").Name();
        var events = await Admin.CoreV1.ListNamespacedEventAsync(
            Namespace, fieldSelector: $"involvedObject.name={waiting},reason=FailedScheduling", cancellationToken: Stop);
        Assert.Contains(events.Items, e => e.Message.Contains("carina: ", StringComparison.Ordinal));

        // What is given back is used.
        var gone = pods.Where(p => p.Status.Phase == "Running").Take(2).Select(p => p.Name()).ToList();
        foreach (var name in gone)
        {
            await Admin.CoreV1.DeleteNamespacedPodAsync(name, Namespace, cancellationToken: Stop);
            await Admin.CoreV1.DeleteNamespacedPersistentVolumeClaimAsync(name, Namespace, cancellationToken: Stop);
        }

        await WaitForPodsAsync("two more pods to run", all =>
            all.Count(p => p.Status.Phase == "Running") == 12 && all.Count(p => RefusalOf(p) is not null) == 6);
        await RequireVolumesUnderPodsAsync();
    }

    [Fact]
    public async Task All_claims_of_a_pod_count_together()
    {
        var small = await AddNodeAsync("1", (Group, 12));
        var other = await AddNodeAsync("2", ("carina-vg-hdd", 100));
        await AddClaimAsync("data", "10Gi");
        await AddClaimAsync("logs", "5Gi");
        await AddPodAsync("pod", "data", "logs");
        await WaitForRefusalAsync(
            "pod",
            $"carina: {small}: group {Group} has 12 GiB left, the pod's 2 claims ask for 15 GiB",
            $"carina: {other}: has no group {Group}");

        var large = await AddNodeAsync("3", (Group, 16));
        Assert.Equal(large, await WaitForRunningAsync("pod"));
        await RequireVolumesUnderPodsAsync();
    }

    [Fact]
    public async Task The_volume_of_a_claim_pins_the_pod_to_its_node()
    {
        Lab.UseStrategy(SchedulerStrategy.Spreadout);
        var first = await AddNodeAsync("1", (Group, 30));
        await AddPodWithClaimAsync("data", "10Gi");
        Assert.Equal(first, await WaitForRunningAsync("data"));

        // Spreadout would prefer the other by far.
        var second = await AddNodeAsync("2", (Group, 500));
        await AddClaimAsync("more", "10Gi");
        await AddPodAsync("again", "data", "more");
        Assert.Equal(first, await WaitForRunningAsync("again"));

        await AddClaimAsync("too-much", "15Gi");
        await AddPodAsync("stuck", "data", "too-much");
        await WaitForRefusalAsync("stuck", $"carina: {first}: group {Group} has 10 GiB left, claim too-much asks for 15 GiB");

        await AddPodWithClaimAsync("free", "10Gi");
        Assert.Equal(second, await WaitForRunningAsync("free"));
        await RequireVolumesUnderPodsAsync();
    }

    [Theory]
    [InlineData(SchedulerStrategy.Spreadout, new[] { 2, 2, 2 })]
    [InlineData(SchedulerStrategy.Binpack, new[] { 0, 0, 6 })]
    public async Task The_strategy_distributes_pods(SchedulerStrategy strategy, int[] expected)
    {
        Lab.UseStrategy(strategy);
        var nodes = new[] { await AddNodeAsync("1", (Group, 100)), await AddNodeAsync("2", (Group, 100)), await AddNodeAsync("3", (Group, 100)) };
        await Task.WhenAll(Enumerable.Range(0, 6).Select(i => AddPodWithClaimAsync($"pod-{i}", "10Gi")));
        var pods = await WaitForPodsAsync("6 pods to run", all => all.Count(p => p.Status.Phase == "Running") == 6);
        Assert.Equal(expected, nodes.Select(n => pods.Count(p => p.Spec.NodeName == n)).Order());
        await RequireVolumesUnderPodsAsync();
    }

    [Fact]
    public async Task Claims_without_a_group_take_what_is_there()
    {
        await AddClassAsync(StorageClass + "-any");
        await AddNodeAsync("1", (Group, 12), ("carina-vg-hdd", 9));
        var fitting = await AddNodeAsync("2", (Group, 12), ("carina-vg-hdd", 11));
        await AddClaimAsync("data", "11Gi", StorageClass + "-any");
        await AddClaimAsync("logs", "10Gi", StorageClass + "-any");
        await AddPodAsync("pod", "data", "logs");
        Assert.Equal(fitting, await WaitForRunningAsync("pod"));
    }

    [Fact]
    public async Task What_another_scheduler_placed_counts()
    {
        var node = await AddNodeAsync("1", (Group, 15));
        await AddClaimAsync("first", "10Gi");
        await AddPodAsync("first", "default-scheduler", ["first"]);
        Assert.Equal(node, await WaitForRunningAsync("first"));
        await AddPodWithClaimAsync("second", "10Gi");
        await WaitForRefusalAsync("second", $"carina: {node}: group {Group} has 5 GiB left, the pod's claim asks for 10 GiB");
    }

    [Fact]
    public async Task Pods_without_our_volumes_are_scheduled_too()
    {
        var node = await AddNodeAsync("1");
        await AddPodAsync("plain");
        Assert.Equal(node, await WaitForRunningAsync("plain"));
    }

    [Fact]
    public async Task Whole_nodes_come_back_as_they_were_sent()
    {
        // The way of schedulers with nodeCacheCapable: false, with a Node object that a real API server wrote.
        var node = await AddNodeAsync("1", (Group, 12));
        await AddClaimAsync("data", "10Gi");
        using var http = Lab.Plane.Keys.CreateHttpClient();
        var sent = await Lab.Plane.KubectlAsync("get", "node", node, "--output", "json");
        var pod = $$$"""
            {"metadata":{"name":"p","namespace":"{{{Namespace}}}","uid":"u"},
             "spec":{"volumes":[{"name":"d","persistentVolumeClaim":{"claimName":"data"}}]}}
            """;
        var answer = await http.PostAsync(
            new Uri(Lab.Extender, WebhookPaths.Filter),
            new StringContent($$$"""{"Pod":{{{pod}}},"Nodes":{"items":[{{{sent}}}]},"NodeNames":null}"""),
            Stop);
        var body = JsonNode.Parse(await answer.Content.ReadAsStringAsync(Stop))!;
        Assert.True(JsonNode.DeepEquals(
            JsonNode.Parse(sent), Assert.Single(body["nodes"]!["items"]!.AsArray())));
    }
}
