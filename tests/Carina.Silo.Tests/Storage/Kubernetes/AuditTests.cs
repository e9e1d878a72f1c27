using Carina.Grains.Errors;
using Carina.Grains.Events;
using Carina.Harness.Kubernetes;
using Carina.Kubernetes.Resources;
using Carina.Silo.Events;
using Carina.Silo.Storage.Kubernetes;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carina.Silo.Tests.Storage.Kubernetes;

/// <summary>What people are told, by status and by Events, about volumes and about what somebody did to them.</summary>
[Collection(KubernetesStorageGroup.Name)]
public sealed class AuditTests(KubernetesStorageFixture fixture) : IAsyncLifetime
{
    private const string Id = "volume-pvc-1";
    private const string Name = "pvc-1";

    // Events outlive the objects that they are about; their times have whole seconds.
    private readonly DateTime _started = DateTime.UtcNow.AddSeconds(-1);
    private LogicVolumeAudit? _audit;
    private KubernetesVolumeEvents? _events;

    private ControlPlane Plane => fixture.Plane;

    public async ValueTask InitializeAsync()
    {
        await fixture.ClearAsync();
        _events = new(Plane.Admin, TimeProvider.System, NullLogger<KubernetesVolumeEvents>.Instance);
        await _events.StartAsync(default);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var service in (BackgroundService?[])[_audit, _events])
        {
            if (service is not null)
            {
                await service.StopAsync(default);
                service.Dispose();
            }
        }
    }

    [Fact]
    public async Task An_edit_of_spec_is_told_once_with_the_field_and_forgotten_when_it_is_put_back()
    {
        await StartAuditAsync();
        await Plane.VolumeStore().WriteAsync(Id, SampleRecords.Volume(Id), null, default);
        await Plane.PatchAsync("lv", Name, """{"spec":{"deviceGroup":"other"}}""");
        var edited = await ConditionAsync("Accepted", "False");
        Assert.Contains("spec.deviceGroup is 'other', the driver wrote 'carina-vg-ssd'", edited.Message, StringComparison.Ordinal);
        var told = await EventAsync("EditedByHand");
        Assert.Equal(("Warning", 1, "logicvolume-node"), (told.Type, told.Count, told.Source.Component));
        Assert.Contains("spec.deviceGroup", told.Message, StringComparison.Ordinal);
        Assert.Contains("EditedByHand", await Plane.KubectlAsync("describe", "lv", Name), StringComparison.Ordinal);

        await Plane.PatchAsync("lv", Name, """{"spec":{"deviceGroup":"carina-vg-ssd"}}""");
        await ConditionAsync("Accepted", "True");
    }

    [Fact]
    public async Task A_removed_finalizer_comes_back()
    {
        await StartAuditAsync();
        await Plane.VolumeStore().WriteAsync(Id, SampleRecords.Volume(Id), null, default);
        await Plane.PatchAsync("lv", Name, """{"metadata":{"finalizers":null}}""");
        await ItemAsync("the finalizer", item => item.Metadata.Finalizers?.Contains(CarinaApi.Finalizer) == true);
        await EventAsync("FinalizerRestored");
    }

    [Fact]
    public async Task A_deletion_by_hand_is_told()
    {
        await StartAuditAsync();
        await Plane.VolumeStore().WriteAsync(Id, SampleRecords.Volume(Id), null, default);
        await Plane.KubectlAsync("delete", "lv", Name, "--wait=false");
        await ConditionAsync("DeletionRequested", "True");
        var told = await EventAsync("DeletedByHand");
        Assert.Contains("delete the claim", told.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Status_that_was_not_published_is_published_later()
    {
        await Plane.VolumeStore().WriteAsync(Id, SampleRecords.Volume(Id), null, default);
        var item = (await Plane.LogicVolumes().FindAsync(Name, default))!;
        item.Status = new();
        await Plane.LogicVolumes().ReplaceStatusAsync(item, default);
        await StartAuditAsync();
        await ItemAsync("the status", i => i.Status?.VolumeId == Id && i.Status.Status == "Success");
    }

    [Fact]
    public async Task Volumes_of_Carina_are_taken_over_and_watched_from_then_on()
    {
        await Plane.ApplyLegacyAsync("logic-volumes-0.14.yaml");
        await StartAuditAsync();
        const string Old = "pvc-0a1b2c3d-0000-4000-8000-000000000001";
        await ItemAsync("the take-over", i => i.Spec.State == "Ready" && i.Status?.Accepted is not null, Old);
        await Plane.PatchAsync("lv", Old, """{"spec":{"size":"1Gi"}}""");
        await ItemAsync("the refusal", i => Condition(i, "Accepted")?.Status == "False", Old);

        // One that was never made is left as it was.
        var failed = (await Plane.LogicVolumes().FindAsync("pvc-0a1b2c3d-0000-4000-8000-000000000005", default))!;
        Assert.Null(failed.Spec.State);
    }

    [Fact]
    public async Task A_failure_is_an_event_and_a_code_until_it_works()
    {
        var (store, record) = (Plane.VolumeStore(), SampleRecords.Volume(Id));
        var etag = await store.WriteAsync(Id, record, null, default);
        var failure = new VolumeEvent(Id, VolumeEventReason.ExpandVolumeFailed, "The pool is full.", StorageErrorCode.OutOfRange);
        _events!.Report(failure);
        _events.Report(failure);
        var told = await EventAsync("ExpandVolumeFailed", count: 2);
        Assert.Equal(("Warning", "The pool is full."), (told.Type, told.Message));
        var item = await ItemAsync("the failure", i => i.Status?.Status == "Failed");
        Assert.Equal((11, "The pool is full."), (item.Status!.Code, item.Status.Message));

        await StartAuditAsync();
        await store.WriteAsync(Id, record with { PublishedNodes = [] }, etag, default);
        item = await ItemAsync("the success", i => i.Status?.Status == "Success");
        Assert.Equal(((int?)null, (string?)null), (item.Status!.Code, item.Status.Message));
        _events.Report(new(Id, VolumeEventReason.ExpandVolumeSuccess, "Grown."));
        Assert.Equal("Normal", (await EventAsync("ExpandVolumeSuccess")).Type);
    }

    [Fact]
    public async Task A_creation_that_found_no_room_is_told_though_there_is_no_object()
    {
        _events!.Report(new("volume-gone", VolumeEventReason.CreateVolumeFailed, "No room.", StorageErrorCode.ResourceExhausted));
        Assert.Equal("No room.", (await EventAsync("CreateVolumeFailed", about: "gone")).Message);
    }

    private Task StartAuditAsync()
    {
        var inspector = new LogicVolumeInspector(
            Plane.Admin, Plane.VolumeStore(), TimeProvider.System, NullLogger<LogicVolumeInspector>.Instance);
        _audit = new(Plane.Admin, inspector, [], TimeProvider.System, NullLogger<LogicVolumeAudit>.Instance);
        return _audit.StartAsync(default);
    }

    private static V1Condition? Condition(LogicVolume item, string type) =>
        item.Status?.Conditions?.FirstOrDefault(c => c.Type == type);

    private async Task<V1Condition> ConditionAsync(string type, string status) =>
        Condition(await ItemAsync($"{type}={status}", i => Condition(i, type)?.Status == status), type)!;

    private Task<LogicVolume> ItemAsync(string what, Func<LogicVolume, bool> holds, string name = Name) => Eventually.ReadAsync(
        what,
        async () => (await Plane.LogicVolumes().FindAsync(name, default))!,
        holds,
        TestContext.Current.CancellationToken);

    private async Task<Corev1Event> EventAsync(string reason, int count = 1, string about = Name)
    {
        var found = await Eventually.ReadAsync(
            $"the event {reason}",
            () => Plane.Admin.CoreV1.ListNamespacedEventAsync(
                "default", fieldSelector: $"involvedObject.name={about},involvedObject.kind=LogicVolume,reason={reason}"),
            list => list.Items.Any(e => e.Count >= count && e.LastTimestamp > _started),
            TestContext.Current.CancellationToken);
        return found.Items.Last(e => e.LastTimestamp > _started);
    }
}
