using System.Text.Json.Nodes;
using Carina.Grains.Volumes;
using Carina.Harness.Kubernetes;
using Carina.Kubernetes.Client;
using Carina.Kubernetes.Upgrade;
using k8s;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Carina.Silo.Tests.Storage.Kubernetes;

/// <summary>LogicVolumes of Carina 0.9 and 0.10, moved to cluster scope.</summary>
[Collection(KubernetesStorageGroup.Name)]
public sealed class NamespacedVolumesTests : IAsyncLifetime
{
    private const string Prefix = "pvc-00000000-0000-4000-8000-00000000000";
    private const string Crd = "logicvolumes.carina.storage.io";

    private ControlPlane _plane = null!;

    public async ValueTask InitializeAsync()
    {
        _plane = await ControlPlane.StartAsync(new(), default);
        await _plane.KubectlAsync("create", "namespace", "carina");
        await _plane.ApplyAsync(LegacyObjects.PathOf("definition-0.10.yaml"));
        await _plane.KubectlAsync("wait", "--for=condition=Established", "crd/" + Crd, "--timeout=60s");
        await _plane.ApplyLegacyAsync("logic-volumes-0.9.1.yaml");
    }

    public async ValueTask DisposeAsync() => Assert.Empty(await _plane.RemoveAsync());

    [Fact]
    public async Task All_volumes_are_there_afterwards_with_all_that_was_known()
    {
        await UpgradeAsync();
        await RequireAllAsync();
        await UpgradeAsync();
        await RequireAllAsync();
        Assert.Equal("Restored", await DumpStateAsync());

        // Kept, for a person.
        Assert.Contains("worker-2", await _plane.KubectlAsync("get", "configmap", "-n", "carina", "-o", "yaml"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_controllers_may_do_it_at_once()
    {
        await Task.WhenAll(StartAsync(), StartAsync());
        await RequireAllAsync();

        Task StartAsync() => NewUpgrade().StartAsync(new CancellationTokenSource(TimeSpan.FromMinutes(2)).Token);
    }

    [Fact]
    public async Task Nothing_is_touched_while_an_agent_of_Carina_runs()
    {
        await _plane.ApplyTextAsync(
            """
            apiVersion: v1
            kind: Pod
            metadata:
              name: csi-carina-node-x1
              namespace: carina
            spec:
              containers:
                - name: node
                  image: example/carina
                  command: ["/usr/bin/carina-node"]
            """);
        var before = await _plane.KubectlAsync("get", "lv", "-A", "-o", "yaml");
        var waiting = await Assert.ThrowsAsync<InvalidOperationException>(UpgradeAsync);
        Assert.Contains("carina/csi-carina-node-x1", waiting.Message, StringComparison.Ordinal);
        Assert.Equal(before, await _plane.KubectlAsync("get", "lv", "-A", "-o", "yaml"));

        await _plane.KubectlAsync("delete", "pod", "-n", "carina", "csi-carina-node-x1", "--force", "--grace-period=0");
        await UpgradeAsync();
        await RequireAllAsync();
    }

    [Fact]
    public async Task One_name_in_two_namespaces_stops_it_before_anything_is_deleted()
    {
        await _plane.ApplyTextAsync(
            $$"""
            apiVersion: carina.storage.io/v1
            kind: LogicVolume
            metadata:
              name: {{Prefix}}1
              namespace: carina
            spec: {nodeName: worker-1, size: 1Gi, deviceGroup: x, pvc: data, nameSpace: shop}
            """);
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(UpgradeAsync);
        Assert.Contains($"{Prefix}1", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(4, (await _plane.KubectlAsync("get", "lv", "-A", "--no-headers")).Trim().Split('\n').Length);
    }

    [Theory]
    [InlineData("logicvolumes", "patch")]
    [InlineData("customresourcedefinitions", "create")]
    [InlineData("logicvolumes", "create")]
    [InlineData("logicvolumes/status", "update")]
    public async Task A_crash_half_way_is_gone_on_from(string resource, string verb)
    {
        // A controller that may do everything but one step comes as far as that step.
        var cripple = await CrippleAsync(resource, verb);
        await Assert.ThrowsAnyAsync<Exception>(() => NewUpgrade(cripple).RunAsync(default));
        await UpgradeAsync();
        await RequireAllAsync();
    }

    private ClusterUpgrade NewUpgrade(IKubernetes? client = null)
    {
        client ??= _plane.Admin;
        var options = Options.Create(new KubernetesOptions { Namespace = "carina" });
        return new(
            new DefinitionUpgrade(client, TimeProvider.System, NullLogger<DefinitionUpgrade>.Instance),
            new NamespacedVolumes(client, options, TimeProvider.System, NullLogger<NamespacedVolumes>.Instance),
            TimeProvider.System,
            NullLogger<ClusterUpgrade>.Instance);
    }

    private Task UpgradeAsync() => NewUpgrade().RunAsync(default);

    private async Task<IKubernetes> CrippleAsync(string resource, string verb)
    {
        await _plane.KubectlAsync("create", "serviceaccount", "cripple", "-n", "carina");
        string[] verbs = ["get", "list", "create", "update", "patch", "delete"];
        string[] resources = ["logicvolumes", "logicvolumes/status", "customresourcedefinitions", "configmaps", "pods"];
        var rules = new JsonArray(
        [
            .. resources.Select(r => (JsonNode)new JsonObject
            {
                ["apiGroups"] = new JsonArray("", "carina.storage.io", "apiextensions.k8s.io"),
                ["resources"] = new JsonArray(r),
                ["verbs"] = new JsonArray([.. verbs.Where(v => r != resource || v != verb).Select(v => JsonValue.Create(v))]),
            }),
        ]);
        await _plane.ApplyTextAsync(new JsonObject
        {
            ["apiVersion"] = "rbac.authorization.k8s.io/v1",
            ["kind"] = "ClusterRole",
            ["metadata"] = new JsonObject { ["name"] = "cripple" },
            ["rules"] = rules,
        }.ToJsonString());
        await _plane.KubectlAsync("create", "clusterrolebinding", "cripple", "--clusterrole=cripple", "--serviceaccount=carina:cripple");
        return _plane.ClientOf(await _plane.ServiceAccountKubeconfigAsync("carina", "cripple", default));
    }

    private async Task RequireAllAsync()
    {
        var store = _plane.VolumeStore();
        var volumes = await store.ListAsync(null, 0, default);
        Assert.Equal([$"volume-{Prefix}1", $"volume-{Prefix}2", $"volume-{Prefix}3"], volumes.Select(v => v.Name));
        var (first, second, third) = (volumes[0].Value, volumes[1].Value, volumes[2].Value);
        Assert.Equal(
            (VolumeState.Ready, "worker-1", "carina-vg-ssd", 7 * SampleRecords.GiB),
            (first.State, first.NodeName, first.Pool, first.Bytes));
        Assert.Equal("data-mysql-0", first.Parameters["csi.storage.k8s.io/pvc/name"]);
        Assert.Equal((VolumeState.Ready, "worker-2", "carina-vg-hdd"), (second.State, second.NodeName, second.Pool));
        Assert.Equal((VolumeState.Creating, 900 * SampleRecords.GiB), (third.State, third.TargetBytes));
        var item = (await _plane.LogicVolumes().FindAsync($"{Prefix}2", default))!;
        Assert.Equal(("shop", 253, 6), (item.Metadata.Labels["team"], item.Status!.DeviceMajor, item.Status.DeviceMinor));
        Assert.StartsWith("2022-05-06", item.Metadata.Annotations["carina.storage.io/resize-requested-at"], StringComparison.Ordinal);
        Assert.Contains("carina.storage.io/logicvolume", item.Metadata.Finalizers);
        Assert.Null(item.Metadata.DeletionTimestamp);
    }

    private Task<string> DumpStateAsync() => _plane.KubectlAsync(
        "get", "configmap", "-n", "carina", "carina-logicvolume-dump", "-o", "jsonpath={.data.state}");
}
