using Carina.Grains.Volumes;
using Carina.Harness;
using Carina.Harness.Kubernetes;

namespace Carina.Silo.Tests.Storage.Kubernetes;

/// <summary>The chart's CustomResourceDefinitions, as kubectl and the API server see them.</summary>
[Collection(KubernetesStorageGroup.Name)]
public sealed class DefinitionTests(KubernetesStorageFixture fixture) : IAsyncLifetime
{
    private ControlPlane Plane => fixture.Plane;

    public async ValueTask InitializeAsync() => await fixture.ClearAsync();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task Kubectl_shows_the_columns_of_Carina()
    {
        await Plane.VolumeStore().WriteAsync("volume-pvc-1", SampleRecords.Volume("volume-pvc-1"), null, default);
        Assert.Equal(
            [["NAME", "SIZE", "GROUP", "NODE", "STATUS"], ["pvc-1", "5Gi", "carina-vg-ssd", "node-1", "Success"]],
            await TableAsync("get", "lv"));
        Assert.Equal(
            [
                ["NAME", "SIZE", "GROUP", "NODE", "STATUS", "NAMESPACE", "PVC", "CURRENT", "STATE", "ACCEPTED", "AGE"],
                ["pvc-1", "5Gi", "carina-vg-ssd", "node-1", "Success", "shop", "data", "5Gi", "Ready", "True", "*"],
            ],
            await TableAsync("get", "lv", "-o", "wide"));

        await Plane.NodeStore().WriteAsync("node-1", SampleRecords.Node("node-1"), null, default);
        Assert.Equal([["NAME", "NODE", "TIME"], ["node-1", "node-1", "*"]], await TableAsync("get", "nsr"));
        Assert.Contains(
            "\"carina.storage.io/carina-vg-ssd\":\"56\"", await Plane.KubectlAsync("get", "nsr", "-o", "wide"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"spec":{"size":"-5Gi"}}""", "spec.size")]
    [InlineData("""{"spec":{"size":-5}}""", "spec.size")]
    [InlineData("""{"spec":{"size":"0"}}""", "spec.size")]
    [InlineData("""{"spec":{"size":0}}""", "spec.size")]
    [InlineData("""{"spec":{"size":"plenty"}}""", "spec.size")]
    [InlineData("""{"spec":{"size":null}}""", "spec.size")]
    [InlineData("""{"spec":{"nodeName":""}}""", "spec.nodeName")]
    [InlineData("""{"spec":{"nodeName":"No Such_Node"}}""", "spec.nodeName")]
    [InlineData("""{"spec":{"deviceGroup":""}}""", "spec.deviceGroup")]
    [InlineData("""{"spec":{"deviceGroup":"../../etc"}}""", "spec.deviceGroup")]
    [InlineData("""{"spec":{"deviceGroup":7}}""", "spec.deviceGroup")]
    [InlineData("""{"spec":{"state":"Gone"}}""", "spec.state")]
    [InlineData("""{"spec":{"volumeGeneration":-1}}""", "spec.volumeGeneration")]
    [InlineData("""{"spec":{"manageType":"zfs"}}""", "spec.manageType")]
    [InlineData("""{"spec":{"publishedNodes":[{"readOnly":true}]}}""", "spec.publishedNodes")]
    public async Task Nonsense_in_a_volume_is_refused(string edit, string field)
    {
        await Plane.VolumeStore().WriteAsync("volume-pvc-1", SampleRecords.Volume("volume-pvc-1"), null, default);
        var refusal = await Assert.ThrowsAsync<HarnessException>(() => Plane.PatchAsync("lv", "pvc-1", edit));
        Assert.Contains(field, refusal.Message, StringComparison.Ordinal);
        var read = await Plane.VolumeStore().ReadAsync("volume-pvc-1", default);
        Assert.Equal(VolumeState.Ready, read!.Value.State);
    }

    [Theory]
    [InlineData("5Gi")]
    [InlineData("1Ti")]
    [InlineData("1.5Gi")]
    [InlineData("500M")]
    [InlineData("1e9")]
    [InlineData("10737418240")]
    public async Task Sizes_of_every_kind_are_taken(string size) => await Plane.ApplyTextAsync(
        $$"""
        apiVersion: carina.storage.io/v1
        kind: LogicVolume
        metadata:
          name: pvc-sizes
        spec:
          nodeName: node-1
          size: {{size}}
          deviceGroup: carina-raw/nvme0n1
          pvc: data
          nameSpace: shop
        """);

    [Theory]
    [InlineData("""{"spec":{"nodeName":"Not_A_Node"}}""", "spec.nodeName")]
    public async Task Nonsense_in_a_node_is_refused(string edit, string field)
    {
        await Plane.NodeStore().WriteAsync("node-1", SampleRecords.Node("node-1"), null, default);
        var refusal = await Assert.ThrowsAsync<HarnessException>(() => Plane.PatchAsync("nsr", "node-1", edit));
        Assert.Contains(field, refusal.Message, StringComparison.Ordinal);
    }

    /// <summary>kubectl's table; ages become <c>*</c>.</summary>
    private async Task<string[][]> TableAsync(params string[] arguments) =>
    [
        .. (await Plane.KubectlAsync(arguments)).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .Select(cell => char.IsAsciiDigit(cell[0]) && cell[^1] is 's' or 'm' ? "*" : cell)
                .ToArray()),
    ];
}
