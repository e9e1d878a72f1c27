using k8s;
using k8s.Models;

namespace Carina.E2E.Tests.Charts;

/// <summary>From Carina's chart to this one, with <c>helm upgrade</c>.</summary>
public sealed class PredecessorTests(UpgradeFixture fixture) : UpgradeTest(fixture)
{
    private const string OldSettings = Chart.Release + "-csi-config";

    [Fact]
    public async Task Settings_that_were_edited_in_the_cluster_are_not_lost()
    {
        await InstallPredecessorAsync();
        await ApplyDefinitionsAsync();
        var refusal = await UpgradeRefusalAsync();
        Assert.Contains(OldSettings, refusal, StringComparison.Ordinal);
        Assert.Contains("--set-json", refusal, StringComparison.Ordinal);
        var before = await Admin.CoreV1.ReadNamespacedConfigMapAsync(OldSettings, Chart.Namespace, cancellationToken: Stop);

        // The command that the refusal names.
        var settings = await Plane.KubectlAsync(
            "--namespace", Chart.Namespace, "get", "configmap", OldSettings, "--output", "go-template={{index .data \"config.json\"}}");
        await UpgradeAsync("--set-json", "config=" + settings);
        var now = await Admin.CoreV1.ReadNamespacedConfigMapAsync("carina-csi-config", Chart.Namespace, cancellationToken: Stop);
        Assert.Equal(Normal(before.Data["config.json"]), Normal(now.Data["config.json"]));

        // Later upgrades remember them.
        await UpgradeAsync();
        var later = await Admin.CoreV1.ReadNamespacedConfigMapAsync("carina-csi-config", Chart.Namespace, cancellationToken: Stop);
        Assert.Equal(now.Data["config.json"], later.Data["config.json"]);
    }

    [Fact]
    public async Task Workloads_and_classes_are_taken_over()
    {
        await InstallPredecessorAsync();
        await ApplyDefinitionsAsync();
        var old = await Admin.AppsV1.ReadNamespacedDeploymentAsync("csi-carina-controller", Chart.Namespace, cancellationToken: Stop);
        await Admin.CoreV1.DeleteNamespacedConfigMapAsync(OldSettings, Chart.Namespace, cancellationToken: Stop);
        await UpgradeAsync();

        var now = await Admin.AppsV1.ReadNamespacedDeploymentAsync("csi-carina-controller", Chart.Namespace, cancellationToken: Stop);
        Assert.Equal(old.Uid(), now.Uid());
        Assert.Equal("carina-controller:0.1.0", now.Spec.Template.Spec.Containers.Single(c => c.Name == "csi-carina-controller").Image);
        Assert.Equal(3, now.Spec.Template.Spec.Containers.Count);
        Assert.DoesNotContain(
            (await Admin.AppsV1.ListNamespacedDeploymentAsync(Chart.Namespace, cancellationToken: Stop)).Items,
            d => d.Metadata.Name == Chart.Release + "-carina-scheduler");

        // Claims name these classes; what they say cannot change.
        foreach (var name in new[] { "csi-carina-sc", "csi-carina-raw", "carina-vg-ssd" })
        {
            var kept = await Admin.StorageV1.ReadStorageClassAsync(name, cancellationToken: Stop);
            Assert.Equal(("Retain", "Immediate"), (kept.ReclaimPolicy, kept.VolumeBindingMode));
            Assert.Equal("ext4", kept.Parameters["csi.storage.k8s.io/fstype"]);
        }

        var hook = (await Admin.AdmissionregistrationV1.ReadMutatingWebhookConfigurationAsync(
            Chart.Release + "-hook", cancellationToken: Stop)).Webhooks.Single();
        Assert.Equal("carina-controller", hook.ClientConfig.Service.Name);
    }

    [Fact]
    public async Task A_driver_that_needs_attachments_is_refused_with_the_way_out()
    {
        await InstallPredecessorAsync("--set", "driver.name=csi.carina.com");
        await ApplyDefinitionsAsync();
        await Admin.CoreV1.DeleteNamespacedConfigMapAsync(OldSettings, Chart.Namespace, cancellationToken: Stop);
        Assert.Contains("kubectl delete csidriver carina.storage.io", await UpgradeRefusalAsync(), StringComparison.Ordinal);

        await Plane.KubectlAsync("delete", "csidriver", "carina.storage.io");
        await UpgradeAsync();
        var driver = await Admin.StorageV1.ReadCSIDriverAsync("carina.storage.io", cancellationToken: Stop);
        Assert.False(driver.Spec.AttachRequired);
    }

    [Fact]
    public async Task Missing_definitions_are_refused_with_the_way_out()
    {
        await InstallPredecessorAsync();
        await ApplyDefinitionsAsync();
        await Plane.KubectlAsync("delete", "crd", "orleansmemberships.carina.storage.io");
        await Admin.CoreV1.DeleteNamespacedConfigMapAsync(OldSettings, Chart.Namespace, cancellationToken: Stop);
        Assert.Contains("helm show crds", await UpgradeRefusalAsync(), StringComparison.Ordinal);

        await ApplyDefinitionsAsync();
        await UpgradeAsync();
    }

    [Fact]
    public async Task Values_that_lack_this_charts_keys_are_refused_with_their_names()
    {
        await InstallPredecessorAsync();
        await ApplyDefinitionsAsync();
        Assert.Contains("'silo'", await UpgradeRefusalAsync("--reuse-values"), StringComparison.Ordinal);
    }

    private async Task ApplyDefinitionsAsync()
    {
        var path = Path.Combine(Plane.Directory, "definitions.yaml");
        await File.WriteAllTextAsync(path, await Plane.HelmAsync("show", "crds", Chart.Directory), Stop);
        await Plane.KubectlAsync("apply", "--server-side", "--force-conflicts", "--filename", path);
    }

    private static string Normal(string json) => System.Text.Json.Nodes.JsonNode.Parse(json)!
        .AsObject().OrderBy(p => p.Key, StringComparer.Ordinal)
        .Aggregate("", (text, p) => $"{text}{p.Key}={Flat(p.Value!)};");

    // Keys of objects in order, without spaces.
    private static string Flat(System.Text.Json.Nodes.JsonNode node) => node switch
    {
        System.Text.Json.Nodes.JsonArray list => $"[{string.Join(',', list.Select(n => Flat(n!)))}]",
        System.Text.Json.Nodes.JsonObject map => $"{{{Normal(map.ToJsonString())}}}",
        _ => node.ToJsonString(),
    };
}
