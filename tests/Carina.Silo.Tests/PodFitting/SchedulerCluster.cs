using Carina.Harness.Kubernetes;
using Carina.Kubernetes.PodFit;
using k8s;
using k8s.Models;

namespace Carina.Silo.Tests.PodFitting;

/// <summary>Nodes without kubelets, and what a scheduler makes of pods there.</summary>
internal sealed class SchedulerCluster : IAsyncDisposable
{
    public const int Count = 6;

    // The scheduler learns of deletions some time after the API server did.
    private static readonly TimeSpan _settling = TimeSpan.FromMilliseconds(60);
    private readonly IKubernetes _client;
    private readonly FakeNodes _nodes;

    public SchedulerCluster(IKubernetes client, int seed)
    {
        (_client, _nodes) = (client, new(client));
        Namespaces = [$"one-{seed}", $"two-{seed}"];
    }

    public IReadOnlyList<string> Namespaces { get; }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static IEnumerable<string> Names => Enumerable.Range(0, Count).Select(i => $"node-{i}");

    public async Task MakeAsync()
    {
        foreach (var name in Namespaces)
        {
            await _client.CoreV1.CreateNamespaceAsync(new() { Metadata = new() { Name = name } }, cancellationToken: Stop);
        }

        foreach (var (name, i) in Names.Select((n, i) => (n, i)))
        {
            var labels = new Dictionary<string, string>
            {
                [RandomPods.Disk] = i % 3 == 0 ? "hdd" : "ssd",
                [RandomPods.Generation] = i == 4 ? "unknown" : $"{i + 1}",
            };
            if (i < 5)
            {
                labels[RandomPods.Zone] = $"z{(i / 2) + 1}";
            }

            if (i != 2)
            {
                labels[RandomPods.Rack] = $"r{i % 2}";
            }

            var capacity = new Dictionary<string, string>
            {
                ["cpu"] = i == 0 ? "2" : "4500m",
                ["memory"] = i == 1 ? "3Gi" : "8Gi",
                ["ephemeral-storage"] = "10Gi",
                ["pods"] = i == 3 ? "3" : "20",
            };
            if (i % 2 == 1)
            {
                capacity[RandomPods.Gpu] = "3";
            }

            foreach (var other in Names.Where(n => n != name))
            {
                capacity[Elsewhere(other)] = "1000";
            }

            await _nodes.AddAsync(new(name) { Labels = labels, Capacity = capacity }, Stop);
        }

        await TaintAsync("node-1", new() { Key = "team", Value = "red", Effect = "NoSchedule" });
        await TaintAsync("node-4", new() { Key = "team", Value = "blue", Effect = "NoExecute" });
        await TaintAsync("node-5", new() { Key = "team", Value = "blue", Effect = "PreferNoSchedule" });
        await CordonAsync("node-2", true);
    }

    public async Task<ClusterState> ReadAsync()
    {
        var nodes = await _client.CoreV1.ListNodeAsync(cancellationToken: Stop);
        var pods = await _client.CoreV1.ListPodForAllNamespacesAsync(cancellationToken: Stop);
        return new(
            [.. nodes.Items],
            [.. pods.Items],
            Namespaces.ToDictionary(n => n, _ => (IReadOnlyDictionary<string, string>)new Dictionary<string, string>()));
    }

    /// <summary>Makes a pod and returns where the scheduler lets it run: empty when it says it cannot.</summary>
    public async Task<(V1Pod Pod, string Node)> ScheduleAsync(V1Pod pod)
    {
        await _client.CoreV1.CreateNamespacedPodAsync(pod, pod.Namespace(), cancellationToken: Stop);
        while (true)
        {
            var now = await _client.CoreV1.ReadNamespacedPodAsync(pod.Name(), pod.Namespace(), cancellationToken: Stop);
            if (now.Spec.NodeName is { Length: > 0 } node)
            {
                return (now, node);
            }

            if (now.Status.Conditions?.Any(c => c is { Type: "PodScheduled", Status: "False", Reason: "Unschedulable" }) == true)
            {
                return (now, "");
            }

            await Task.Delay(5, Stop);
        }
    }

    /// <summary>Where the scheduler lets a copy of a pod run, if it may run on these nodes only; nothing is left of it.</summary>
    public async Task<string> ProbeAsync(V1Pod pod, IReadOnlyCollection<string> only)
    {
        // By resources, as these have no part in how pods are spread.
        var probe = KubernetesJson.Deserialize<V1Pod>(KubernetesJson.Serialize(pod));
        probe.Metadata.Name += "-probe";
        var resources = probe.Spec.Containers[0].Resources;
        foreach (var other in Names.Except(only))
        {
            (resources.Requests ??= new Dictionary<string, ResourceQuantity>())[Elsewhere(other)] = new("1");
            (resources.Limits ??= new Dictionary<string, ResourceQuantity>())[Elsewhere(other)] = new("1");
        }

        var (_, node) = await ScheduleAsync(probe);
        await RemoveAsync(probe, node.Length > 0);
        return node;
    }

    /// <summary>Deletes a pod as failover does: at once.</summary>
    public async Task RemoveAsync(V1Pod pod, bool settle = true)
    {
        await _client.CoreV1.DeleteNamespacedPodAsync(
            pod.Name(), pod.Namespace(), gracePeriodSeconds: 0, cancellationToken: Stop);
        if (settle)
        {
            await Task.Delay(_settling, Stop);
        }
    }

    /// <summary>Deletes a pod so that it stays for its grace period, as there is no kubelet.</summary>
    public async Task BeginRemovalAsync(V1Pod pod)
    {
        await _client.CoreV1.DeleteNamespacedPodAsync(pod.Name(), pod.Namespace(), cancellationToken: Stop);
        await Task.Delay(_settling, Stop);
    }

    public async Task EndAsync(V1Pod pod, string phase)
    {
        await _client.CoreV1.PatchNamespacedPodStatusAsync(
            new(new V1Pod { Status = new() { Phase = phase } }, V1Patch.PatchType.MergePatch),
            pod.Name(),
            pod.Namespace(),
            cancellationToken: Stop);
        await Task.Delay(_settling, Stop);
    }

    public async Task CordonAsync(string node, bool on)
    {
        await _client.CoreV1.PatchNodeAsync(
            new(new V1Node { Spec = new() { Unschedulable = on } }, V1Patch.PatchType.MergePatch), node, cancellationToken: Stop);
        await Task.Delay(_settling, Stop);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var pod in (await _client.CoreV1.ListPodForAllNamespacesAsync()).Items)
        {
            await _client.CoreV1.DeleteNamespacedPodAsync(pod.Name(), pod.Namespace(), gracePeriodSeconds: 0);
        }

        await _nodes.DisposeAsync();
    }

    // Every node but the one has it.
    private static string Elsewhere(string node) => $"example.com/not-{node}";

    private async Task TaintAsync(string node, V1Taint taint) => await _client.CoreV1.PatchNodeAsync(
        new(new V1Node { Spec = new() { Taints = [taint] } }, V1Patch.PatchType.MergePatch), node, cancellationToken: Stop);
}
