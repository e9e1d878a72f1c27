using System.Collections.Concurrent;
using Carina.Harness.Kubernetes;
using k8s;
using k8s.Models;

namespace Carina.E2E.Tests.Kubernetes;

/// <summary>Controllers, scheduler and fake nodes together bring pods to life, and to an end.</summary>
[Collection(ControlPlaneCollection.Name)]
public sealed class PodTests(ControlPlaneFixture fixture) : ControlPlaneTest(fixture)
{
    private static readonly Dictionary<string, string> _labels = new() { ["app"] = "web" };

    [Fact]
    public async Task The_pod_of_a_deployment_is_scheduled_runs_and_goes()
    {
        var calls = new ConcurrentQueue<string>();
        await using var nodes = new FakeNodes(Admin);
        await nodes.AddAsync(new("other"), Stop);
        await nodes.AddAsync(
            new("chosen")
            {
                Labels = new Dictionary<string, string> { ["for"] = Namespace },
                Drivers = [new() { Name = "test.csi", NodeID = "chosen", TopologyKeys = ["for"] }],
            },
            Stop);
        await using var kubelet = FakeKubelet.Start(Admin, nodes, new()
        {
            BeforeRunning = async (pod, _) =>
            {
                await Task.Yield();
                calls.Enqueue("start " + pod.Spec.NodeName);
                if (calls.Count == 1)
                {
                    throw new InvalidOperationException("not yet");
                }
            },
            BeforeGone = (pod, _) =>
            {
                calls.Enqueue("end " + pod.Spec.NodeName);
                return Task.CompletedTask;
            },
        });

        await Admin.AppsV1.CreateNamespacedDeploymentAsync(Deployment(), Namespace, cancellationToken: Stop);
        await Eventually.ReadAsync(
            "the deployment to be available",
            () => Admin.AppsV1.ReadNamespacedDeploymentAsync("web", Namespace, cancellationToken: Stop),
            deployment => deployment.Status.AvailableReplicas == 1,
            Stop);
        var pods = await Admin.CoreV1.ListNamespacedPodAsync(Namespace, cancellationToken: Stop);
        Assert.Equal(("chosen", "Running"), (pods.Items.Single().Spec.NodeName, pods.Items.Single().Status.Phase));
        Assert.Contains("not yet", Assert.Single(kubelet.Errors), StringComparison.Ordinal);
        var csi = await Admin.StorageV1.ReadCSINodeAsync("chosen", cancellationToken: Stop);
        Assert.Equal("test.csi", csi.Spec.Drivers.Single().Name);

        await Admin.AppsV1.DeleteNamespacedDeploymentAsync("web", Namespace, cancellationToken: Stop);
        await Eventually.ReadAsync(
            "the pod to go",
            () => Admin.CoreV1.ListNamespacedPodAsync(Namespace, cancellationToken: Stop),
            left => left.Items.Count == 0,
            Stop);
        Assert.Equal(["start chosen", "start chosen", "end chosen"], calls);
    }

    [Fact]
    public async Task A_deleted_node_takes_its_objects_along()
    {
        await using (var nodes = new FakeNodes(Admin))
        {
            await nodes.AddAsync(new("short-lived"), Stop);
            await nodes.SetReadyAsync("short-lived", false, Stop);
            var node = await Admin.CoreV1.ReadNodeAsync("short-lived", cancellationToken: Stop);
            Assert.Equal("False", node.Status.Conditions.Single(c => c.Type == "Ready").Status);
        }

        Assert.DoesNotContain(
            (await Admin.CoreV1.ListNodeAsync(cancellationToken: Stop)).Items, n => n.Name() == "short-lived");
        Assert.DoesNotContain(
            (await Admin.StorageV1.ListCSINodeAsync(cancellationToken: Stop)).Items, n => n.Name() == "short-lived");
    }

    private V1Deployment Deployment() => new()
    {
        Metadata = new() { Name = "web" },
        Spec = new()
        {
            Replicas = 1,
            Selector = new() { MatchLabels = _labels },
            Template = new()
            {
                Metadata = new() { Labels = _labels },
                Spec = new()
                {
                    NodeSelector = new Dictionary<string, string> { ["for"] = Namespace },
                    Containers = [new() { Name = "web", Image = "none" }],
                },
            },
        },
    };
}
