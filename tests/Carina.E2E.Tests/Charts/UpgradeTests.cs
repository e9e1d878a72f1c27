using System.Text;
using System.Text.Json;
using k8s;
using k8s.Models;

namespace Carina.E2E.Tests.Charts;

/// <summary>From one version of this chart to the next.</summary>
public sealed class UpgradeTests(UpgradeFixture fixture) : UpgradeTest(fixture)
{
    private const string Secret = "mutatingwebhook";
    private const string Hook = Chart.Release + "-hook";

    public static TheoryData<string> ValueSets => [.. Chart.ValueSets];

    [Theory]
    [MemberData(nameof(ValueSets))]
    public async Task The_API_server_would_take_every_object(string set)
    {
        // There is no Prometheus operator here.
        IReadOnlyList<string> values = [.. Chart.Values(set), "--set", "serviceMonitor.enable=false"];
        await InstallAsync([.. values, "--dry-run=server"]);

        // Helm compares with the server's schema; this lets the server validate and admit them, too.
        var manifest = Path.Combine(Plane.Directory, $"rendered-{set}.yaml");
        await File.WriteAllTextAsync(
            manifest,
            await Plane.HelmAsync(
                ["template", Chart.Release, Chart.Directory, "--namespace", Chart.Namespace, "--validate", .. values]),
            Stop);
        await Plane.KubectlAsync("apply", "--dry-run=server", "--filename", manifest);
        Assert.Empty((await Admin.AppsV1.ListNamespacedDaemonSetAsync(Chart.Namespace, cancellationToken: Stop)).Items);
    }

    [Theory]
    [InlineData("true")]
    [InlineData("false")]
    public async Task What_the_webhook_wrote_survives_upgrade_and_rollback(string serverSide)
    {
        await InstallAsync("--server-side=" + serverSide);
        var authority = Encoding.ASCII.GetBytes("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n");
        // As the driver does it, with the driver's rights.
        var driver = Plane.ClientOf(await Plane.ServiceAccountKubeconfigAsync(Chart.Namespace, "carina-csi-controller", Stop));
        await driver.CoreV1.CreateNamespacedSecretAsync(
            new() { Metadata = new() { Name = Secret }, Data = new Dictionary<string, byte[]> { ["ca.crt"] = authority } },
            Chart.Namespace,
            cancellationToken: Stop);
        await driver.AdmissionregistrationV1.PatchMutatingWebhookConfigurationAsync(
            new(
                JsonSerializer.Serialize(new[] { new { op = "add", path = "/webhooks/0/clientConfig/caBundle", value = authority } }),
                V1Patch.PatchType.JsonPatch),
            Hook,
            cancellationToken: Stop);

        await UpgradeAsync("--server-side=" + serverSide, "--set", "webhook.timeoutSeconds=2");
        await RequireAsync(authority, 2);
        await Plane.HelmAsync("rollback", Chart.Release, "1", "--namespace", Chart.Namespace, "--server-side=" + serverSide);
        await RequireAsync(authority, 3);
    }

    [Fact]
    public async Task Values_that_do_not_change_change_no_pod()
    {
        await InstallAsync();
        var before = await GenerationsAsync();
        await UpgradeAsync();
        Assert.Equal(before, await GenerationsAsync());
    }

    [Fact]
    public async Task Uninstalling_leaves_volumes_and_their_definitions()
    {
        await InstallAsync();
        await Plane.KubectlAsync("wait", "--for=condition=Established", "crd/logicvolumes.carina.storage.io", "--timeout=60s");
        var volume = Path.Combine(Plane.Directory, "volume.yaml");
        await File.WriteAllTextAsync(
            volume,
            """
            apiVersion: carina.storage.io/v1
            kind: LogicVolume
            metadata: {name: pvc-kept, finalizers: [carina.storage.io/logicvolume]}
            spec: {nodeName: node-1, size: 1Gi, deviceGroup: carina-vg-hdd, pvc: kept, nameSpace: default}
            """,
            Stop);
        await Plane.ApplyAsync(volume);

        await Plane.HelmAsync("uninstall", Chart.Release, "--namespace", Chart.Namespace);
        Assert.Contains("pvc-kept", await Plane.KubectlAsync("get", "logicvolumes", "--output", "name"), StringComparison.Ordinal);
        foreach (var definition in Directory.EnumerateFiles(Path.Combine(Chart.Directory, "crds")))
        {
            await Plane.KubectlAsync("get", "--filename", definition);
        }

        // And installing again takes them as they are.
        await InstallAsync();
        Assert.Contains("pvc-kept", await Plane.KubectlAsync("get", "logicvolumes", "--output", "name"), StringComparison.Ordinal);
        await Plane.KubectlAsync("patch", "logicvolume", "pvc-kept", "--type=merge", "--patch", """{"metadata": {"finalizers": null}}""");
        await Plane.KubectlAsync("delete", "logicvolume", "pvc-kept");
    }

    [Fact]
    public async Task Somebody_elses_class_stays_theirs()
    {
        await Admin.StorageV1.CreateStorageClassAsync(
            new() { Metadata = new() { Name = "csi-carina-sc" }, Provisioner = "carina.storage.io", ReclaimPolicy = "Retain" },
            cancellationToken: Stop);
        try
        {
            await InstallAsync();
            var kept = await Admin.StorageV1.ReadStorageClassAsync("csi-carina-sc", cancellationToken: Stop);
            Assert.Equal("Retain", kept.ReclaimPolicy);
            await Plane.HelmAsync("uninstall", Chart.Release, "--namespace", Chart.Namespace);
            await Admin.StorageV1.ReadStorageClassAsync("csi-carina-sc", cancellationToken: Stop);
        }
        finally
        {
            await Admin.StorageV1.DeleteStorageClassAsync("csi-carina-sc", cancellationToken: CancellationToken.None);
        }
    }

    [Fact]
    public async Task A_class_whose_values_change_keeps_what_cannot_change()
    {
        await InstallAsync();
        await UpgradeAsync("--set", "storage.defaultClass.disktype=carina-vg-ssd,storage.defaultClass.reclaimPolicy=Retain,storage.defaultClass.isDefault=true");
        var storageClass = await Admin.StorageV1.ReadStorageClassAsync("csi-carina-sc", cancellationToken: Stop);
        Assert.Equal("carina-vg-hdd", storageClass.Parameters["carina.storage.io/disk-group-name"]);
        Assert.Equal("Delete", storageClass.ReclaimPolicy);
        Assert.Equal("true", storageClass.Metadata.Annotations["storageclass.kubernetes.io/is-default-class"]);
    }

    private async Task RequireAsync(byte[] authority, int timeout)
    {
        var hook = (await Admin.AdmissionregistrationV1.ReadMutatingWebhookConfigurationAsync(Hook, cancellationToken: Stop)).Webhooks.Single();
        Assert.Equal(timeout, hook.TimeoutSeconds);
        Assert.Equal(authority, hook.ClientConfig.CaBundle);
        var secret = await Admin.CoreV1.ReadNamespacedSecretAsync(Secret, Chart.Namespace, cancellationToken: Stop);
        Assert.Equal(authority, secret.Data["ca.crt"]);
    }

    private async Task<IReadOnlyList<(string Name, long? Generation)>> GenerationsAsync()
    {
        var deployments = await Admin.AppsV1.ListNamespacedDeploymentAsync(Chart.Namespace, cancellationToken: Stop);
        var daemonSets = await Admin.AppsV1.ListNamespacedDaemonSetAsync(Chart.Namespace, cancellationToken: Stop);
        return
        [
            .. deployments.Items.Select(d => (d.Metadata.Name, d.Metadata.Generation)),
            .. daemonSets.Items.Select(d => (d.Metadata.Name, d.Metadata.Generation)),
        ];
    }
}
