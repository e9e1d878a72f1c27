using Carina.Grains.Storage;
using Carina.Grains.Volumes;
using Carina.Harness.Kubernetes;
using Carina.Kubernetes.Resources;
using k8s;

namespace Carina.Silo.Tests.Storage.Kubernetes;

[Collection(KubernetesStorageGroup.Name)]
public sealed class LogicVolumeStoreTests(KubernetesStorageFixture fixture) : RecordStoreKit<VolumeRecord>, IAsyncLifetime
{
    private const string Id = "volume-pvc-1";
    private const string Name1 = "pvc-1";

    private ControlPlane Plane => fixture.Plane;

    public async ValueTask InitializeAsync() => await fixture.ClearAsync();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task Users_see_what_they_saw_of_Carina()
    {
        await NewStore().WriteAsync(Id, SampleRecords.Volume(Id), null, default);
        var item = (await Plane.LogicVolumes().FindAsync(Name1, default))!;
        Assert.Equal(
            ("node-1", "5Gi", "carina-vg-ssd", "data", "shop"),
            (item.Spec.NodeName, item.Spec.Size.ToString(), item.Spec.DeviceGroup, item.Spec.Pvc, item.Spec.NameSpace));
        Assert.Equal("lvm", item.Metadata.Annotations["carina.io/volume-manage-type"]);
        Assert.Equal(["carina.storage.io/logicvolume"], item.Metadata.Finalizers);
        Assert.Equal(
            (Id, "5Gi", "Success", (int?)null),
            (item.Status!.VolumeId, item.Status.CurrentSize.ToString(), item.Status.Status, item.Status.Code));
        Assert.All(item.Status.Conditions!, c => Assert.Equal("True", c.Status));
    }

    [Fact]
    public async Task A_volume_in_the_making_has_no_handle_yet()
    {
        var store = NewStore();
        var making = SampleRecords.Volume(Id) with { State = VolumeState.Creating, Bytes = 0, DevicePath = "" };
        var etag = await store.WriteAsync(Id, making, null, default);
        Assert.Null((await Plane.LogicVolumes().FindAsync(Name1, default))!.Status?.VolumeId);

        // It finds no place, for the moment.
        var nowhere = making with { NodeName = "", Pool = "" };
        await store.WriteAsync(Id, nowhere, etag, default);
        AssertSame(nowhere, (await store.ReadAsync(Id, default))!.Value);
    }

    [Fact]
    public async Task A_growing_volume_shows_both_sizes_and_when_it_was_asked()
    {
        var (store, record) = (NewStore(), SampleRecords.Volume(Id));
        var etag = await store.WriteAsync(Id, record, null, default);
        var growing = record with { TargetBytes = 6 * SampleRecords.GiB };
        etag = await store.WriteAsync(Id, growing, etag, default);
        var item = (await Plane.LogicVolumes().FindAsync(Name1, default))!;
        Assert.Equal(("6Gi", "5Gi"), (item.Spec.Size.ToString(), item.Status!.CurrentSize.ToString()));
        Assert.True(item.Metadata.Annotations.ContainsKey("carina.storage.io/resize-requested-at"));
        await store.WriteAsync(Id, growing with { Bytes = 6 * SampleRecords.GiB }, etag, default);
        Assert.Equal("6Gi", (await Plane.LogicVolumes().FindAsync(Name1, default))!.Status!.CurrentSize.ToString());
    }

    [Fact]
    public async Task A_name_that_no_object_can_bear_is_kept_beside_the_handle()
    {
        var name = "PV with a Name";
        var id = VolumeIds.FromName(name);
        var record = SampleRecords.Volume(id) with { Name = name };
        await NewStore().WriteAsync(id, record, null, default);
        AssertSame(record, (await NewStore().ReadAsync(id, default))!.Value);
        AssertSame(record, Assert.Single(await NewStore().ListAsync(null, 0, default)).Value);
        Assert.Null(await NewStore().ReadAsync("volume-PV with a Name", default));
        Assert.Null(await NewStore().ReadAsync("something", default));
        await Assert.ThrowsAsync<ArgumentException>(() => NewStore().WriteAsync("volume-A", record, null, default));
    }

    [Fact]
    public async Task Labels_annotations_status_and_deletion_by_others_disturb_no_writer()
    {
        var (store, record) = (NewStore(), SampleRecords.Volume(Id));
        var etag = await store.WriteAsync(Id, record, null, default);
        await Plane.KubectlAsync("label", "lv", Name1, "team=shop");
        await Plane.KubectlAsync("annotate", "lv", Name1, "note=mine");
        var item = (await Plane.LogicVolumes().FindAsync(Name1, default))!;
        item.Status!.Message = "by somebody else";
        await Plane.LogicVolumes().ReplaceStatusAsync(item, default);
        Assert.Equal(etag, (await store.ReadAsync(Id, default))!.ETag);
        await Plane.KubectlAsync("delete", "lv", Name1, "--wait=false");
        Assert.Equal(etag, (await store.ReadAsync(Id, default))!.ETag);

        var next = await store.WriteAsync(Id, record with { PublishedNodes = [] }, etag, default);
        item = (await Plane.LogicVolumes().FindAsync(Name1, default))!;
        Assert.Equal("shop", item.Metadata.Labels["team"]);
        Assert.Equal("mine", item.Metadata.Annotations["note"]);
        await Assert.ThrowsAsync<RecordConflictException>(() => store.WriteAsync(Id, record, etag, default));
        await store.DeleteAsync(Id, next, default);
        Assert.Null(await Plane.LogicVolumes().FindAsync(Name1, default));
    }

    [Fact]
    public async Task Edits_by_others_during_writes_are_put_up_with()
    {
        var (store, record) = (NewStore(), SampleRecords.Volume(Id));
        var etag = await store.WriteAsync(Id, record, null, default);
        using var stop = new CancellationTokenSource();
        var editor = EditAsync(stop.Token);
        try
        {
            for (var i = 1; i <= 20; i++)
            {
                etag = await store.WriteAsync(Id, SampleRecords.Volume(Id, i), etag, default);
            }
        }
        finally
        {
            await stop.CancelAsync();
            await editor;
        }

        AssertSame(SampleRecords.Volume(Id, 20), (await store.ReadAsync(Id, default))!.Value);
    }

    /// <summary>Labels the volume over and over: some hundred times a second, which leaves a writer its turn.</summary>
    private async Task EditAsync(CancellationToken stop)
    {
        for (var i = 0; !stop.IsCancellationRequested; i++)
        {
            await Plane.Admin.CustomObjects.PatchClusterCustomObjectAsync<LogicVolume>(
                new k8s.Models.V1Patch("""{"metadata":{"labels":{"n":"#"}}}""".Replace("#", $"{i}", StringComparison.Ordinal), k8s.Models.V1Patch.PatchType.MergePatch),
                CarinaApi.Group, CarinaApi.LogicVolumeVersion, CarinaApi.LogicVolumePlural, Name1,
                cancellationToken: CancellationToken.None);
            await Task.Delay(TimeSpan.FromMilliseconds(8), stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [Fact]
    public async Task A_volume_that_somebody_deletes_with_kubectl_is_kept_and_says_so()
    {
        var (store, record) = (NewStore(), SampleRecords.Volume(Id));
        var etag = await store.WriteAsync(Id, record, null, default);
        await Plane.KubectlAsync("delete", "lv", Name1, "--wait=false");
        AssertSame(record, (await store.ReadAsync(Id, default))!.Value);
        AssertSame(record, Assert.Single(await store.ListAsync(null, 0, default)).Value);
        etag = await store.WriteAsync(Id, record with { PublishedNodes = [] }, etag, default);
        var item = (await Plane.LogicVolumes().FindAsync(Name1, default))!;
        var condition = Assert.Single(item.Status!.Conditions!, c => c.Type == "DeletionRequested");
        Assert.Contains("delete the claim", condition.Message, StringComparison.Ordinal);

        // Once the volume itself goes, nothing is left to be said.
        await store.WriteAsync(Id, record with { State = VolumeState.Deleting }, etag, default);
        item = (await Plane.LogicVolumes().FindAsync(Name1, default))!;
        Assert.DoesNotContain(item.Status!.Conditions!, c => c.Type == "DeletionRequested");
    }

    [Fact]
    public async Task A_deletion_that_crashed_half_way_is_finished()
    {
        var (store, record) = (NewStore(), SampleRecords.Volume(Id));
        await store.WriteAsync(Id, record, null, default);
        var item = (await Plane.LogicVolumes().FindAsync(Name1, default))!;
        await Plane.LogicVolumes().DeleteAsync(item, default);
        var read = await store.ReadAsync(Id, default);
        await store.DeleteAsync(Id, read!.ETag, default);
        Assert.Null(await Plane.LogicVolumes().FindAsync(Name1, default));
    }

    [Fact]
    public async Task An_object_that_only_others_hold_is_no_volume()
    {
        var (store, record) = (NewStore(), SampleRecords.Volume(Id));
        var etag = await store.WriteAsync(Id, record, null, default);
        await Plane.PatchAsync("lv", Name1, """{"metadata":{"finalizers":["carina.storage.io/logicvolume","example.com/mine"]}}""");
        await store.DeleteAsync(Id, etag, default);
        Assert.Null(await store.ReadAsync(Id, default));
        Assert.Empty(await store.ListAsync(null, 0, default));
        var item = (await Plane.LogicVolumes().FindAsync(Name1, default))!;
        Assert.Equal(["example.com/mine"], item.Metadata.Finalizers);
    }

    [Fact]
    public async Task Lists_of_any_length_are_read_in_pages()
    {
        var store = NewStore();
        var ids = Enumerable.Range(0, 30).Select(i => $"volume-pvc-{i:000}").ToList();
        await Parallel.ForEachAsync(ids, async (id, stop) => await store.WriteAsync(id, SampleRecords.Volume(id), null, stop));
        var found = new List<string>();
        for (string? after = null; ;)
        {
            var page = await store.ListAsync(after, 7, default);
            found.AddRange(page.Select(p => p.Name));
            if (page.Count < 7)
            {
                break;
            }

            after = page[^1].Name;
        }

        Assert.Equal(ids, found);
    }

    [Fact]
    public async Task A_restart_of_the_API_server_loses_nothing()
    {
        var (store, record) = (NewStore(), SampleRecords.Volume(Id));
        var etag = await store.WriteAsync(Id, record, null, default);
        await Plane.KillApiServerAsync(default);
        var away = await Assert.ThrowsAsync<Carina.Grains.Errors.StorageException>(
            () => store.WriteAsync(Id, SampleRecords.Volume(Id, 1), etag, default));
        Assert.Equal(Carina.Grains.Errors.StorageErrorCode.Unavailable, away.Code);
        Assert.Contains(Id, away.Message, StringComparison.Ordinal);
        await Plane.StartApiServerAsync(default);
        AssertSame(record, (await store.ReadAsync(Id, default))!.Value);
        await store.WriteAsync(Id, SampleRecords.Volume(Id, 1), etag, default);
    }

    protected override IRecordStore<VolumeRecord> NewStore() => Plane.VolumeStore();

    protected override string Name(string tail) => "volume-" + tail;

    protected override VolumeRecord Sample(string name, int number) => SampleRecords.Volume(name, number);
}
