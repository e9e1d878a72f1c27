using Carina.Grains.Configuration;
using Carina.Grains.Volumes;
using Carina.Harness.Kubernetes;

namespace Carina.Silo.Tests.Storage.Kubernetes;

/// <summary>LogicVolumes that Carina 0.11 to 0.14 left.</summary>
[Collection(KubernetesStorageGroup.Name)]
public sealed class LegacyVolumeTests(KubernetesStorageFixture fixture) : IAsyncLifetime
{
    private const string Prefix = "pvc-0a1b2c3d-0000-4000-8000-00000000000";
    private const long GiB = SampleRecords.GiB;

    private ControlPlane Plane => fixture.Plane;

    public async ValueTask InitializeAsync()
    {
        await fixture.ClearAsync();
        await Plane.ApplyLegacyAsync("logic-volumes-0.14.yaml");
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task A_volume_is_what_its_object_says()
    {
        var record = await ReadAsync($"volume-{Prefix}1");
        Assert.Equal(
            (VolumeState.Ready, "worker-1", "carina-vg-ssd", PoolPolicy.Lvm, 7 * GiB, 7 * GiB, 1L),
            (record.State, record.NodeName, record.Pool, record.Policy, record.Bytes, record.TargetBytes, record.Generation));
        Assert.Equal((VolumeAccess.Unknown, ""), (record.Access, record.FileSystem));
        Assert.Equal("data-mysql-0", record.Parameters["csi.storage.k8s.io/pvc/name"]);
        Assert.Equal($"/dev/carina-vg-ssd/volume-{Prefix}1", record.DevicePath);
    }

    [Fact]
    public async Task An_expansion_that_Carina_did_not_finish_is_still_wanted()
    {
        var record = await ReadAsync($"volume-{Prefix}2");
        Assert.Equal((PoolPolicy.Lvm, 5 * GiB, 8 * GiB), (record.Policy, record.Bytes, record.TargetBytes));
    }

    [Fact]
    public async Task Partitions_and_directories_are_told_by_their_annotation()
    {
        Assert.Equal(PoolPolicy.Raw, (await ReadAsync($"volume-{Prefix}3")).Policy);
        Assert.Equal("carina-raw/sdc", (await ReadAsync($"volume-{Prefix}3")).Pool);
        Assert.Equal(PoolPolicy.Host, (await ReadAsync($"host-{Prefix}4")).Policy);
        Assert.Null(await Plane.VolumeStore().ReadAsync($"volume-{Prefix}4", default));
        Assert.Null(await Plane.VolumeStore().ReadAsync($"host-{Prefix}3", default));
    }

    [Fact]
    public async Task A_creation_that_failed_is_one_that_has_not_happened()
    {
        var record = await ReadAsync($"volume-{Prefix}5");
        Assert.Equal((VolumeState.Creating, 0L, 2048 * GiB), (record.State, record.Bytes, record.TargetBytes));
    }

    [Fact]
    public async Task All_are_listed() => Assert.Equal(
        [$"volume-{Prefix}1", $"volume-{Prefix}2", $"volume-{Prefix}3", $"host-{Prefix}4", $"volume-{Prefix}5"],
        (await Plane.VolumeStore().ListAsync(null, 0, default)).Select(s => s.Name));

    [Theory]
    [InlineData("volume-", 1)]
    [InlineData("volume-", 2)]
    [InlineData("volume-", 3)]
    [InlineData("host-", 4)]
    [InlineData("volume-", 5)]
    public async Task The_first_write_keeps_all_that_was_known(string prefix, int number)
    {
        var (store, id) = (Plane.VolumeStore(), $"{prefix}{Prefix}{number}");
        var before = (await Plane.LogicVolumes().FindAsync($"{Prefix}{number}", default))!;
        var read = (await store.ReadAsync(id, default))!;
        await store.WriteAsync(id, read.Value, read.ETag, default);
        var again = (await store.ReadAsync(id, default))!;
        Assert.NotEqual(read.ETag, again.ETag);
        Assert.Equal(
            System.Text.Json.JsonSerializer.Serialize(read.Value), System.Text.Json.JsonSerializer.Serialize(again.Value));
        var after = (await Plane.LogicVolumes().FindAsync($"{Prefix}{number}", default))!;
        Assert.Equal(
            (before.Spec.NodeName, before.Spec.DeviceGroup, before.Spec.Pvc, before.Spec.NameSpace, before.Spec.Size.Bytes),
            (after.Spec.NodeName, after.Spec.DeviceGroup, after.Spec.Pvc, after.Spec.NameSpace, after.Spec.Size.Bytes));
        Assert.Equal(
            (before.Status!.VolumeId, before.Status.CurrentSize?.Bytes, before.Status.DeviceMajor, before.Status.DeviceMinor),
            (after.Status!.VolumeId, after.Status.CurrentSize?.Bytes, after.Status.DeviceMajor, after.Status.DeviceMinor));
        Assert.Superset(before.Metadata.Annotations?.Keys.ToHashSet() ?? [], after.Metadata.Annotations.Keys.ToHashSet());
    }

    private async Task<VolumeRecord> ReadAsync(string id) => (await Plane.VolumeStore().ReadAsync(id, default))!.Value;
}
