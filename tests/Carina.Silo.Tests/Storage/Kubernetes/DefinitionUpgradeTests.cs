using Carina.Harness.Kubernetes;
using Carina.Kubernetes.Upgrade;
using k8s;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carina.Silo.Tests.Storage.Kubernetes;

/// <summary>A cluster's definitions brought up to date.</summary>
[Collection(KubernetesStorageGroup.Name)]
public sealed class DefinitionUpgradeTests : IAsyncLifetime
{
    private const string LogicVolumes = "logicvolumes.carina.storage.io";

    private ControlPlane _plane = null!;

    public async ValueTask InitializeAsync() => _plane = await ControlPlane.StartAsync(new(), default);

    public async ValueTask DisposeAsync() => Assert.Empty(await _plane.RemoveAsync());

    [Fact]
    public async Task What_is_missing_is_made_and_what_the_chart_made_stays()
    {
        await Task.WhenAll(EnsureAsync(), EnsureAsync());
        var made = await GenerationAsync();
        await _plane.ApplyAsync(KubernetesStorageFixture.DefinitionDirectory);
        await EnsureAsync();
        Assert.Equal(made, await GenerationAsync());
        await _plane.VolumeStore().WriteAsync("volume-a", SampleRecords.Volume("volume-a"), null, default);
        Assert.NotNull(await _plane.VolumeStore().ReadAsync("volume-a", default));
    }

    [Fact]
    public async Task A_definition_of_Carina_is_replaced_and_its_objects_live_on()
    {
        await _plane.ApplyAsync(LegacyObjects.PathOf("definition-0.14.yaml"));
        await _plane.KubectlAsync("wait", "--for=condition=Established", "crd/" + LogicVolumes, "--timeout=60s");
        await _plane.ApplyLegacyAsync("logic-volumes-0.14.yaml");

        // The old one would drop what it does not know: that is said, not suffered.
        var dropped = await Assert.ThrowsAsync<InvalidOperationException>(
            () => _plane.VolumeStore().WriteAsync("volume-a", SampleRecords.Volume("volume-a"), null, default));
        Assert.Contains("older than this driver", dropped.Message, StringComparison.Ordinal);

        await EnsureAsync();
        Assert.Equal(6, (await _plane.VolumeStore().ListAsync(null, 0, default)).Count);
        await _plane.VolumeStore().WriteAsync("volume-b", SampleRecords.Volume("volume-b"), null, default);
        var definition = await _plane.Admin.ApiextensionsV1.ReadCustomResourceDefinitionAsync(LogicVolumes);
        Assert.Equal("Helm", definition.Metadata.Labels["app.kubernetes.io/managed-by"]);
        var generation = await GenerationAsync();
        await EnsureAsync();
        Assert.Equal(generation, await GenerationAsync());
    }

    [Fact]
    public async Task A_newer_definition_stays()
    {
        await EnsureAsync();
        await _plane.PatchAsync("crd", LogicVolumes, """{"metadata":{"annotations":{"carina.storage.io/crd-revision":"99"}},"spec":{"names":{"shortNames":["lv","lvs"]}}}""");
        await EnsureAsync();
        var definition = await _plane.Admin.ApiextensionsV1.ReadCustomResourceDefinitionAsync(LogicVolumes);
        Assert.Equal(["lv", "lvs"], definition.Spec.Names.ShortNames);
    }

    private Task EnsureAsync() =>
        new DefinitionUpgrade(_plane.Admin, TimeProvider.System, NullLogger<DefinitionUpgrade>.Instance).EnsureAsync(default);

    private async Task<long?> GenerationAsync() =>
        (await _plane.Admin.ApiextensionsV1.ReadCustomResourceDefinitionAsync(LogicVolumes)).Metadata.Generation;
}
