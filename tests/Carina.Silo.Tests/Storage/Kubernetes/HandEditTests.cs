using Carina.Grains.Errors;
using Carina.Grains.Storage;
using Carina.Grains.Volumes;
using Carina.Harness.Kubernetes;

namespace Carina.Silo.Tests.Storage.Kubernetes;

/// <summary>LogicVolumes whose spec somebody edited with kubectl.</summary>
[Collection(KubernetesStorageGroup.Name)]
public sealed class HandEditTests(KubernetesStorageFixture fixture) : IAsyncLifetime
{
    private const string Id = "volume-pvc-1";

    private ControlPlane Plane => fixture.Plane;

    public async ValueTask InitializeAsync() => await fixture.ClearAsync();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Theory]
    [InlineData("""{"spec":{"nodeName":"node-7"}}""", """{"spec":{"nodeName":"node-1"}}""", "spec.nodeName is 'node-7', the driver wrote 'node-1'")]
    [InlineData("""{"spec":{"deviceGroup":"other"}}""", """{"spec":{"deviceGroup":"carina-vg-ssd"}}""", "spec.deviceGroup is 'other', the driver wrote 'carina-vg-ssd'")]
    [InlineData("""{"spec":{"size":"1Gi"}}""", """{"spec":{"size":"5Gi"}}""", "spec.size is '1Gi', the driver wrote '5Gi'")]
    [InlineData("""{"spec":{"allocatedSize":null}}""", """{"spec":{"allocatedSize":"5Gi"}}""", "spec.allocatedSize is missing, the driver wrote '5Gi'")]
    [InlineData("""{"spec":{"state":"Deleting"}}""", """{"spec":{"state":"Ready"}}""", "spec.state is 'Deleting', the driver wrote 'Ready'")]
    [InlineData("""{"spec":{"volumeGeneration":9}}""", """{"spec":{"volumeGeneration":3}}""", "spec.volumeGeneration is '9', the driver wrote '3'")]
    [InlineData("""{"spec":{"parameters":{"more":"x"}}}""", """{"spec":{"parameters":{"more":null}}}""", "spec.parameters")]
    [InlineData("""{"spec":{"pvc":"other"}}""", """{"spec":{"pvc":"data"}}""", "spec.pvc is 'other', the driver wrote 'data'")]
    public async Task A_spec_that_was_edited_is_not_acted_upon_until_it_is_put_back(string edit, string repair, string reason)
    {
        var store = Plane.VolumeStore();
        var record = SampleRecords.Volume(Id);
        var etag = await store.WriteAsync(Id, record, null, default);
        await Plane.PatchAsync("lv", "pvc-1", edit);
        var refusal = await Assert.ThrowsAsync<StorageException>(() => store.ReadAsync(Id, default));
        Assert.Equal(StorageErrorCode.FailedPrecondition, refusal.Code);
        Assert.Contains(reason, refusal.Message, StringComparison.Ordinal);
        Assert.Empty(await store.ListAsync(null, 0, default));
        await Assert.ThrowsAsync<RecordConflictException>(() => store.WriteAsync(Id, record, etag, default));
        await Assert.ThrowsAsync<RecordConflictException>(() => store.DeleteAsync(Id, etag, default));

        await Plane.PatchAsync("lv", "pvc-1", repair);
        var read = await store.ReadAsync(Id, default);
        Assert.Equal(
            System.Text.Json.JsonSerializer.Serialize(record), System.Text.Json.JsonSerializer.Serialize(read!.Value));
        await store.WriteAsync(Id, record with { PublishedNodes = [] }, read.ETag, default);
    }

    [Fact]
    public async Task A_removed_checksum_does_not_make_it_an_old_object()
    {
        await Plane.VolumeStore().WriteAsync(Id, SampleRecords.Volume(Id), null, default);
        await Plane.PatchAsync("lv", "pvc-1", """{"spec":{"checksum":null}}""");
        var refusal = await Assert.ThrowsAsync<StorageException>(() => Plane.VolumeStore().ReadAsync(Id, default));
        Assert.Contains("spec.checksum", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_object_that_somebody_makes_by_hand_is_no_volume_yet()
    {
        await Plane.ApplyTextAsync(
            """
            apiVersion: carina.storage.io/v1
            kind: LogicVolume
            metadata:
              name: pvc-1
            spec:
              nodeName: node-1
              size: 5Gi
              deviceGroup: carina-vg-ssd
              pvc: data
              nameSpace: shop
            """);
        var record = (await Plane.VolumeStore().ReadAsync(Id, default))!.Value;
        Assert.Equal((VolumeState.Creating, 0L), (record.State, record.Bytes));
    }
}
