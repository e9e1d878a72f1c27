using System.Net;
using System.Net.Sockets;
using Carina.Harness.Kubernetes;
using Carina.Harness.Processes;
using k8s;
using k8s.Models;

namespace Carina.E2E.Tests.Charts;

/// <summary>What a real API server has after <c>helm install</c>.</summary>
[Collection(ChartCollection.Name)]
public sealed class InstallTests(ChartFixture fixture)
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private ControlPlane Plane => fixture.Plane;

    private IKubernetes Admin => Plane.Admin;

    [Fact]
    public async Task Every_object_of_the_release_is_there()
    {
        var manifest = Path.Combine(Plane.Directory, "manifest.yaml");
        await File.WriteAllTextAsync(
            manifest, await Plane.HelmAsync("get", "manifest", Chart.Release, "--namespace", Chart.Namespace), Stop);
        var found = await Plane.KubectlAsync("get", "--filename", manifest, "--output", "name");
        Assert.Superset(
            new HashSet<string>
            {
                "daemonset.apps/csi-carina-node", "deployment.apps/csi-carina-controller", "deployment.apps/carina-scheduler",
                "service/carina-controller", "service/carina-csi-driver-controller", "service/carina-node",
                "service/carina-csi-driver-node", "configmap/carina-csi-config", "configmap/carina-scheduler-config",
                "csidriver.storage.k8s.io/carina.storage.io", "storageclass.storage.k8s.io/csi-carina-sc",
                "mutatingwebhookconfiguration.admissionregistration.k8s.io/carina-csi-driver-hook",
                "serviceaccount/carina-csi-controller", "serviceaccount/carina-csi-node", "serviceaccount/carina-scheduler-sa",
                "networkpolicy.networking.k8s.io/carina-csi-driver",
                "poddisruptionbudget.policy/csi-carina-controller", "poddisruptionbudget.policy/carina-scheduler",
            },
            found.Split('\n', StringSplitOptions.RemoveEmptyEntries).ToHashSet());
    }

    [Fact]
    public async Task Each_node_has_a_driver_and_the_controllers_are_on_different_hosts()
    {
        foreach (var name in new[] { "node-1", "node-2" })
        {
            var pod = Assert.Single(await PodsAsync("app=csi-carina-node", 1, "spec.nodeName=" + name));
            Assert.Equal("system-node-critical", pod.Spec.PriorityClassName);
        }

        var controllers = await PodsAsync("app=csi-carina-controller", 2);
        Assert.Equal(["node-1", "node-2"], controllers.Select(p => p.Spec.NodeName).Order(StringComparer.Ordinal));
        Assert.All(controllers, p => Assert.Equal("system-cluster-critical", p.Spec.PriorityClassName));
        await PodsAsync("app=csi-carina-scheduler", 2);
    }

    [Fact]
    public async Task A_node_that_joins_gets_a_driver_whatever_its_taints()
    {
        await using var nodes = new FakeNodes(Admin);
        await nodes.AddAsync(new("tainted") { Labels = new Dictionary<string, string> { ["kubernetes.io/os"] = "linux" } }, Stop);
        await Plane.KubectlAsync("taint", "node", "tainted", "of=mine:NoExecute", "other=one:NoSchedule");
        await Eventually.ReadAsync(
            "the driver's pod on the tainted node",
            () => Admin.CoreV1.ListNamespacedPodAsync(
                Chart.Namespace, labelSelector: "app=csi-carina-node", fieldSelector: "spec.nodeName=tainted", cancellationToken: Stop),
            pods => pods.Items.Any(p => p.Metadata.DeletionTimestamp is null),
            Stop);
    }

    [Fact]
    public async Task The_driver_is_as_kubelet_and_schedulers_need_it()
    {
        var driver = (await Admin.StorageV1.ReadCSIDriverAsync("carina.storage.io", cancellationToken: Stop)).Spec;
        Assert.Equal((false, true, "File"), (driver.AttachRequired, driver.PodInfoOnMount, driver.FsGroupPolicy));
        Assert.Equal(["Persistent"], driver.VolumeLifecycleModes);
        Assert.Equal(Plane.Minor >= 21, driver.StorageCapacity ?? false);
    }

    [Fact]
    public async Task The_class_of_the_experiment_is_there()
    {
        var storageClass = await Admin.StorageV1.ReadStorageClassAsync("csi-carina-sc", cancellationToken: Stop);
        Assert.Equal(
            ("carina.storage.io", "Delete", "WaitForFirstConsumer", true),
            (storageClass.Provisioner, storageClass.ReclaimPolicy, storageClass.VolumeBindingMode, storageClass.AllowVolumeExpansion));
        Assert.Equal("carina-vg-hdd", storageClass.Parameters["carina.storage.io/disk-group-name"]);
        Assert.Equal("xfs", storageClass.Parameters["csi.storage.k8s.io/fstype"]);
    }

    [Fact]
    public async Task The_webhook_harms_nobody_when_it_is_away()
    {
        var hook = (await Admin.AdmissionregistrationV1.ReadMutatingWebhookConfigurationAsync(
            Chart.Release + "-hook", cancellationToken: Stop)).Webhooks.Single();
        Assert.Equal(
            ("pod-hook.carina.storage.io", "Ignore", 3, "None"), (hook.Name, hook.FailurePolicy, hook.TimeoutSeconds, hook.SideEffects));
        Assert.Null(hook.ClientConfig.CaBundle);
        Assert.Equal(
            ("carina-controller", Chart.Namespace, "/pod/mutate"),
            (hook.ClientConfig.Service.Name, hook.ClientConfig.Service.NamespaceProperty, hook.ClientConfig.Service.Path));
        var rule = hook.Rules.Single();
        Assert.Equal("CREATE pods", $"{rule.Operations.Single()} {rule.Resources.Single()}");
        Assert.Contains(hook.NamespaceSelector.MatchExpressions, e => (e.Key, e.OperatorProperty) == ("carina.storage.io/webhook", "NotIn"));
        Assert.Contains(
            hook.NamespaceSelector.MatchExpressions,
            e => e.Key == "kubernetes.io/metadata.name" && e.OperatorProperty == "NotIn" && e.Values.Contains(Chart.Namespace));

        // Nobody answers it, and a pod is made all the same.
        await Plane.KubectlAsync("run", "beside", "--image=none", "--namespace", "default");
        await Plane.KubectlAsync("delete", "pod", "beside", "--namespace", "default", "--wait=false");
    }

    [Fact]
    public async Task A_stock_scheduler_runs_with_the_configuration_and_the_rights_it_is_given()
    {
        const string Pod = "scheduled-by-carina";
        var map = await Admin.CoreV1.ReadNamespacedConfigMapAsync("carina-scheduler-config", Chart.Namespace, cancellationToken: Stop);
        var kubeconfig = await Plane.ServiceAccountKubeconfigAsync(Chart.Namespace, "carina-scheduler-sa", Stop);
        var path = Path.Combine(Plane.Directory, "carina-scheduler.yaml");
        await File.WriteAllTextAsync(
            path,
            map.Data["scheduler-config.yaml"]
                .Replace("/etc/carina-ca/ca.crt", Plane.Keys.AuthorityPath, StringComparison.Ordinal)
                .Replace("127.0.0.1:10251", $"127.0.0.1:{FreePort()}", StringComparison.Ordinal)
            + $"\nclientConnection:\n  kubeconfig: {kubeconfig}\n",
            Stop);

        await using var scheduler = SiloProcess.StartProgram(
            "carina-scheduler",
            (await KubernetesBinaries.FindAsync(Stop))["kube-scheduler"],
            ["--config", path, "--authentication-skip-lookup=true", "--bind-address=127.0.0.1", "--secure-port=0"],
            new Dictionary<string, string>(),
            Path.Combine(Plane.LogDirectory, "carina-scheduler.log"));
        await Plane.KubectlAsync(
            "run", Pod, "--image=none", "--namespace", "default", "--overrides", """{"spec": {"schedulerName": "carina-scheduler"}}""");
        await Eventually.ReadAsync(
            $"the pod to be scheduled, beside {scheduler.Tail(15)}",
            () => Admin.CoreV1.ReadNamespacedPodAsync(Pod, "default", cancellationToken: Stop),
            pod => pod.Spec.NodeName is not null,
            Stop);
        var lease = await Admin.CoordinationV1.ReadNamespacedLeaseAsync("carina-scheduler", Chart.Namespace, cancellationToken: Stop);
        Assert.Equal(5, lease.Spec.LeaseDurationSeconds);
        await Plane.KubectlAsync("delete", "pod", Pod, "--namespace", "default", "--wait=false");
        await scheduler.KillAsync(Stop);
        Assert.DoesNotContain("forbidden", scheduler.Tail(500), StringComparison.OrdinalIgnoreCase);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private async Task<IList<V1Pod>> PodsAsync(string selector, int count, string? fields = null) => (await Eventually.ReadAsync(
        $"{count} running pods of {selector} {fields}",
        () => Admin.CoreV1.ListNamespacedPodAsync(
            Chart.Namespace, labelSelector: selector, fieldSelector: fields, cancellationToken: Stop),
        pods => pods.Items.Count(p => p.Status.Phase == "Running") == count,
        Stop)).Items;
}
