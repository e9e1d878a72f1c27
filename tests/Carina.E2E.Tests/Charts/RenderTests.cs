using System.Text.Json;
using Carina.Grains.Configuration;
using k8s.Models;

namespace Carina.E2E.Tests.Charts;

/// <summary>What helm makes of the values that users have, for each version of Kubernetes.</summary>
public sealed class RenderTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static TheoryData<string> ValueSets => [.. Chart.ValueSets];

    public static TheoryData<string> KubeVersions => [.. Chart.KubeVersions];

    [Theory]
    [MemberData(nameof(ValueSets))]
    public async Task Helm_finds_no_fault(string set) =>
        Assert.Contains("0 chart(s) failed", await Chart.HelmAsync(Stop, ["lint", "--strict", Chart.Directory, .. Chart.Values(set)]), StringComparison.Ordinal);

    [Theory]
    [MemberData(nameof(ValueSets))]
    public async Task All_objects_have_fields_that_Kubernetes_knows_and_names_of_their_own(string set)
    {
        var objects = await Chart.RenderAsync(set, "1.36.2", Stop);
        Assert.Distinct(objects.Names);
        Assert.All(objects.All, o => Assert.Equal(Chart.Release, o.Metadata.Labels["app.kubernetes.io/instance"]));
    }

    [Theory]
    [MemberData(nameof(ValueSets))]
    public async Task The_settings_are_what_the_driver_reads(string set)
    {
        var objects = await Chart.RenderAsync(set, "1.36.2", Stop);
        var result = CarinaConfigParser.Parse(objects.Single<V1ConfigMap>("carina-csi-config").Data["config.json"]);
        Assert.Empty(result.Errors);
    }

    [Theory]
    [MemberData(nameof(KubeVersions))]
    public async Task Each_cluster_gets_the_versions_it_serves(string kubeVersion)
    {
        var objects = await Chart.RenderAsync("", kubeVersion, Stop);
        var minor = int.Parse(kubeVersion.Split('.')[1], null);
        Assert.All(
            objects.Of<V1PodDisruptionBudget>(),
            b => Assert.Equal(minor >= 21 ? "policy/v1" : "policy/v1beta1", b.ApiVersion));

        var configuration = objects.Single<V1ConfigMap>("carina-scheduler-config").Data["scheduler-config.yaml"];
        var version = minor switch { >= 25 => "v1", >= 23 => "v1beta3", 22 => "v1beta2", _ => "v1beta1" };
        Assert.StartsWith($"apiVersion: kubescheduler.config.k8s.io/{version}\n", configuration, StringComparison.Ordinal);
        Assert.Equal($"kube-scheduler:v{kubeVersion.Split('+', '-')[0]}", objects.Container("carina-scheduler").Image);

        // Before 1.21 a cluster serves no capacities that this provisioner knows, and it would wait for them for ever.
        Assert.Equal(minor >= 21, objects.Container("csi-provisioner").Args.Contains("--enable-capacity=true"));
        Assert.Equal(minor >= 21, objects.Single<V1CSIDriver>("carina.storage.io").Spec.StorageCapacity);
        Assert.Equal(minor >= 27 ? true : null, objects.Single<V1CSIDriver>("carina.storage.io").Spec.SeLinuxMount);
        var webhook = objects.Single<V1MutatingWebhookConfiguration>(Chart.Release + "-hook").Webhooks.Single();
        Assert.Equal(minor >= 30 ? 1 : 0, webhook.MatchConditions?.Count ?? 0);
    }

    [Fact]
    public async Task Capacities_of_an_old_cluster_are_made_by_an_old_provisioner()
    {
        IReadOnlyList<string> alpha = ["--api-versions", "storage.k8s.io/v1alpha1/CSIStorageCapacity"];
        var old = await Chart.RenderAsync("carina-0.9.1", "1.20.2", Stop, alpha);
        Assert.Contains("--enable-capacity=true", old.Container("csi-provisioner").Args);
        var current = await Chart.RenderAsync("", "1.20.2", Stop, alpha);
        Assert.DoesNotContain("--enable-capacity=true", current.Container("csi-provisioner").Args);
    }

    [Fact]
    public async Task A_sidecar_is_given_no_flag_that_its_version_lacks()
    {
        var old = await Chart.RenderAsync("carina-0.11", "1.30.14", Stop);
        Assert.Contains("--feature-gates=Topology=true", old.Container("csi-provisioner").Args);
        Assert.DoesNotContain(old.Container("csi-provisioner").Args, a => a.Contains("lease-duration", StringComparison.Ordinal));
        Assert.DoesNotContain(old.Container("csi-provisioner").Args, a => a.Contains("capacity-qps", StringComparison.Ordinal));
        Assert.Contains("--leader-election-lease-duration=5s", old.Container("csi-resizer").Args);

        var older = await Chart.RenderAsync("carina-0.9.1", "1.21.8", Stop);
        Assert.DoesNotContain("--leader-election-lease-duration=5s", older.Container("csi-resizer").Args);

        var current = await Chart.RenderAsync("", "1.30.14", Stop);
        Assert.DoesNotContain(current.Container("csi-provisioner").Args, a => a.Contains("feature-gates", StringComparison.Ordinal));
        foreach (var sidecar in new[] { "csi-provisioner", "csi-resizer" })
        {
            Assert.Superset(
                new HashSet<string>
                {
                    "--leader-election=true", "--leader-election-lease-duration=5s", "--leader-election-renew-deadline=4s",
                    "--leader-election-retry-period=1s", "--timeout=150s", "--kube-api-qps=200", "--kube-api-burst=400",
                },
                current.Container(sidecar).Args.ToHashSet());
        }

        Assert.Superset(
            new HashSet<string>
            {
                "--extra-create-metadata=true", "--strict-topology=true", "--immediate-topology=false",
                "--enable-capacity=true", "--capacity-ownerref-level=2",
            },
            current.Container("csi-provisioner").Args.ToHashSet());
    }

    [Fact]
    public async Task Old_images_of_another_program_are_not_run()
    {
        foreach (var set in new[] { "carina-0.9.1", "carina-0.11" })
        {
            var objects = await Chart.RenderAsync(set, "1.21.8", Stop);
            Assert.EndsWith("/carina:0.1.0", objects.Container("csi-carina-node").Image, StringComparison.Ordinal);
            Assert.EndsWith("/carina-controller:0.1.0", objects.Container("csi-carina-controller").Image, StringComparison.Ordinal);
            Assert.EndsWith("/kube-scheduler:v1.21.8", objects.Container("carina-scheduler").Image, StringComparison.Ordinal);
            Assert.Equal("512Mi", objects.Container("csi-carina-node").Resources.Limits["memory"].CanonicalizeString());
            Assert.Equal("512Mi", objects.Container("csi-carina-controller").Resources.Limits["memory"].CanonicalizeString());
        }
    }

    [Fact]
    public async Task Only_a_repository_that_begins_with_a_slash_gets_the_prefix()
    {
        var objects = await Chart.RenderAsync("everything", "1.30.14", Stop);
        Assert.Equal("mirror/storage/carina:0.2.0", objects.Container("csi-carina-node").Image);
        Assert.Equal("elsewhere/csi-provisioner:v5.3.0", objects.Container("csi-provisioner").Image);
        Assert.Equal("mirror/storage/csi-resizer:v2.2.1", objects.Container("csi-resizer").Image);
        Assert.Equal("elsewhere/kube-scheduler:v1.30.1", objects.Container("carina-scheduler").Image);
        Assert.Equal(["plain", "reference"], objects.Node.Spec.Template.Spec.ImagePullSecrets.Select(s => s.Name));
    }

    [Fact]
    public async Task Overrides_reach_their_place()
    {
        var objects = await Chart.RenderAsync("everything", "1.30.14", Stop);
        Assert.DoesNotContain(objects.All, o => o is V1ServiceAccount or V1ClusterRole or V1Role or V1ClusterRoleBinding or V1RoleBinding);
        var node = objects.Node.Spec.Template.Spec;
        Assert.Equal(("mine-node", true, false), (node.ServiceAccountName, node.HostNetwork, node.HostIPC));
        Assert.Equal("20%", objects.Node.Spec.UpdateStrategy.RollingUpdate.MaxUnavailable);
        Assert.Equal("disks", Assert.Single(node.Tolerations).Key);
        Assert.Equal("disks", node.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions[0].Key);
        Assert.Null(node.InitContainers);
        var silo = objects.Container("csi-carina-node");
        Assert.Contains("--path-roots=/data/kubelet", silo.Args);
        Assert.Contains("--kubelet-csi-socket=/data/kubelet/plugins/carina.storage.io/csi.sock", silo.Args);
        Assert.Contains("--port=12222", silo.Args);
        Assert.Contains("--config=/conf/config.json", silo.Args);
        // Registration is the registrar's then.
        Assert.DoesNotContain(silo.Args, a => a.StartsWith("--registration-socket", StringComparison.Ordinal));
        Assert.Contains("--kubelet-registration-path=/data/kubelet/plugins/carina.storage.io/csi.sock", objects.Container("node-driver-registrar").Args);
        // Directories that volumes are kept in, and what the operator asks for.
        Assert.Superset(
            new HashSet<string> { "/srv/carina", "/srv/files", "/mnt/more", "/etc/lvm", "/run/udev/data" },
            node.Volumes.Select(v => v.HostPath?.Path ?? "").ToHashSet());

        var controller = objects.Controller.Spec.Template.Spec;
        Assert.Equal(100, controller.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution[0].Weight);
        Assert.Contains("--probe-timeout=00:00:02", objects.Container("csi-carina-controller").Args);
        Assert.Equal("storage", objects.Controller.Spec.Template.Metadata.Labels["team"]);
        Assert.Equal(2, objects.Pods.SelectMany(p => p.Pod.Containers).Count(c => c.Name == "liveness-probe"));

        var shelf = objects.Single<V1StorageClass>("shelf-class");
        Assert.Equal("true", shelf.Parameters["carina.storage.io/allow-pod-migration-if-node-notready"]);
        Assert.Equal(("Immediate", false, "me"), (shelf.VolumeBindingMode, shelf.AllowVolumeExpansion, shelf.Annotations()["owner"]));
        var local = objects.Single<V1StorageClass>("local");
        Assert.Equal(("fast", "Retain"), (local.Parameters["carina.storage.io/disk-group-name"], local.ReclaimPolicy));
        Assert.Equal("true", local.Annotations()["storageclass.kubernetes.io/is-default-class"]);
        // With the host's network peers do not come from a pod's address.
        Assert.Null(objects.Of<V1NetworkPolicy>().Single().Spec.Ingress[0].FromProperty);
        Assert.Equal("my-scheduler", objects.Of<V1Deployment>().Single(d => d.Metadata.Name != "csi-carina-controller").Metadata.Name);
    }

    [Fact]
    public async Task A_service_monitor_finds_each_service_once()
    {
        var objects = await Chart.RenderAsync("", "1.30.14", Stop, "--set", "serviceMonitor.enable=true");
        var monitor = objects.Of<ServiceMonitor>().Single();
        var wanted = monitor.Spec.Selector.MatchExpressions.Single();
        var found = objects.Of<V1Service>().Where(s => s.Metadata.Labels.TryGetValue(wanted.Key, out var app) && wanted.Values.Contains(app));
        Assert.Equal(["carina-controller", "carina-node"], found.Select(s => s.Metadata.Name).Order(StringComparer.Ordinal));
        Assert.All(found, s => Assert.Contains(s.Spec.Ports, p => p.Name == monitor.Spec.Endpoints.Single()["port"]));
        Assert.Equal([Chart.Namespace], monitor.Spec.NamespaceSelector["matchNames"]);
    }

    [Fact]
    public async Task Services_lead_to_ports_that_containers_have()
    {
        var objects = await Chart.RenderAsync("carina-0.9.1", "1.30.14", Stop);
        foreach (var service in objects.Of<V1Service>())
        {
            var app = service.Spec.Selector["app"];
            var pod = app == "csi-carina-node" ? objects.Node.Spec.Template : objects.Controller.Spec.Template;
            Assert.Equal(app, pod.Metadata.Labels["app"]);
            Assert.All(service.Spec.Ports, p => Assert.Contains(pod.Spec.Containers, c => c.Ports?.Any(q => q.Name == p.TargetPort) ?? false));
        }
    }

    [Fact]
    public async Task What_is_switched_off_is_not_made()
    {
        var bare = await Chart.RenderAsync("bare", "1.30.14", Stop);
        Assert.DoesNotContain(
            bare.All,
            o => o is V1MutatingWebhookConfiguration or V1StorageClass or V1PodDisruptionBudget or V1NetworkPolicy or ServiceMonitor);
        Assert.Null(bare.Node.Spec.Template.Spec.Tolerations);
        Assert.DoesNotContain(bare.Names, n => n.Contains("scheduler", StringComparison.Ordinal));
        Assert.Contains("--webhook-configuration=", bare.Container("csi-carina-controller").Args);

        var old = await Chart.RenderAsync("carina-0.10", "1.30.14", Stop);
        Assert.Empty(old.Of<V1MutatingWebhookConfiguration>());
        Assert.Contains("StorageClass/csi-carina-lvm", old.Names);
        Assert.Contains("StorageClass/csi-carina-raw", old.Names);
    }

    [Fact]
    public async Task A_short_release_name_makes_no_service_twice()
    {
        var yaml = await Chart.HelmAsync(Stop, "template", "carina", Chart.Directory);
        Assert.Equal(["carina-controller", "carina-node"], ChartObjects.Parse(yaml).Of<V1Service>().Select(s => s.Metadata.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_version_is_that_of_the_program()
    {
        var chart = await Chart.HelmAsync(Stop, "show", "chart", Chart.Directory);
        var props = await File.ReadAllTextAsync(Path.Combine(Chart.Directory, "../../Directory.Build.props"), Stop);
        var version = props.Split("<Version>")[1].Split('<')[0];
        Assert.Contains($"\nversion: {version}\n", "\n" + chart, StringComparison.Ordinal);
        Assert.Contains($"appVersion: {version}\n", chart, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_schema_knows_every_key_of_the_values()
    {
        using var schema = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(Chart.Directory, "values.schema.json"), Stop));
        var properties = schema.RootElement.GetProperty("properties");
        Assert.False(schema.RootElement.GetProperty("additionalProperties").GetBoolean());
        var values = k8s.KubernetesYaml.Deserialize<Dictionary<string, object>>(
            await File.ReadAllTextAsync(Path.Combine(Chart.Directory, "values.yaml"), Stop));
        Assert.All(values.Keys, key => Assert.True(properties.TryGetProperty(key, out _), key));
    }
}
