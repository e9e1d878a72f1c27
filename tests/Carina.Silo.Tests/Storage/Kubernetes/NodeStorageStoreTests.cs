using Carina.Grains.Nodes;
using Carina.Grains.Storage;
using Carina.Harness.Kubernetes;
using k8s;
using k8s.Models;

namespace Carina.Silo.Tests.Storage.Kubernetes;

[Collection(KubernetesStorageGroup.Name)]
public sealed class NodeStorageStoreTests(KubernetesStorageFixture fixture) : RecordStoreKit<NodeRecord>, IAsyncLifetime
{
    private const string Node = "node-1";

    private ControlPlane Plane => fixture.Plane;

    public async ValueTask InitializeAsync() => await fixture.ClearAsync();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task Users_see_whole_gibibytes_that_can_be_had()
    {
        await NewStore().WriteAsync(Node, SampleRecords.Node(Node), null, default);
        var status = (await Plane.Nodes().FindAsync(Node, default))!.Status!;
        // 100 GiB less an extent; of those 20 are foreign, 10 reserved, 12 promised, 1 unexplained.
        Assert.Equal("99", status.Capacity!["carina.storage.io/carina-vg-ssd"]);
        Assert.Equal("56", status.Allocatable!["carina.storage.io/carina-vg-ssd"]);
        Assert.Equal("0", status.Capacity["carina.storage.io/carina-vg-hdd"]);
        Assert.Equal("0", status.Allocatable["carina.storage.io/carina-vg-hdd"]);
        Assert.NotNull(status.SyncTime);
        var group = Assert.Single(status.VgGroups!);
        Assert.Equal(("carina-vg-ssd", 1, 3, "wz--n-"), (group.Name, group.PvCount, group.LvCount, group.Attr));
        Assert.Equal((100 * SampleRecords.GiB) - (4 << 20) - (26 * SampleRecords.GiB), group.Free);
        var ready = Assert.Single(status.Conditions!);
        Assert.Equal(("Ready", "False"), (ready.Type, ready.Status));
        Assert.Contains("carina-vg-hdd", ready.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_object_belongs_to_its_node()
    {
        var node = await Plane.Admin.CoreV1.CreateNodeAsync(new V1Node { Metadata = new() { Name = "owned" } });
        await NewStore().WriteAsync("owned", SampleRecords.Node("owned"), null, default);
        var item = (await Plane.Nodes().FindAsync("owned", default))!;
        var owner = Assert.Single(item.Metadata.OwnerReferences);
        Assert.Equal(("Node", "owned", node.Metadata.Uid), (owner.Kind, owner.Name, owner.Uid));
        Assert.Equal("owned", item.Spec!.NodeName);
        await Plane.Admin.CoreV1.DeleteNodeAsync("owned");
    }

    [Fact]
    public async Task Edits_by_others_disturb_no_writer()
    {
        var store = NewStore();
        var etag = await store.WriteAsync(Node, SampleRecords.Node(Node), null, default);
        await Plane.KubectlAsync("label", "nsr", Node, "team=shop");
        await Plane.PatchAsync("nsr", Node, """{"spec":{"nodeName":"node-9"}}""");
        var item = (await Plane.Nodes().FindAsync(Node, default))!;
        item.Status!.Capacity = new Dictionary<string, string> { ["carina.storage.io/carina-vg-ssd"] = "1000000" };
        await Plane.Nodes().ReplaceStatusAsync(item, default);
        Assert.Equal(etag, (await store.ReadAsync(Node, default))!.ETag);
        await store.WriteAsync(Node, SampleRecords.Node(Node, 1), etag, default);
        item = (await Plane.Nodes().FindAsync(Node, default))!;
        Assert.Equal(("shop", Node, "99"), (
            item.Metadata.Labels["team"], item.Spec!.NodeName, item.Status!.Capacity!["carina.storage.io/carina-vg-ssd"]));
        await Assert.ThrowsAsync<RecordConflictException>(() => store.WriteAsync(Node, SampleRecords.Node(Node), etag, default));
    }

    [Fact]
    public async Task What_Carina_left_of_a_node_is_taken_over()
    {
        await Plane.ApplyLegacyAsync("node-storage-resource-0.14.yaml");
        var store = NewStore();
        Assert.Null(await store.ReadAsync("worker-1", default));
        Assert.Empty(await store.ListAsync(null, 0, default));
        var etag = await store.WriteAsync("worker-1", SampleRecords.Node("worker-1"), null, default);
        AssertSame(SampleRecords.Node("worker-1"), (await store.ReadAsync("worker-1", default))!.Value);
        var item = (await Plane.Nodes().FindAsync("worker-1", default))!;
        Assert.Equal("99", item.Status!.Capacity!["carina.storage.io/carina-vg-ssd"]);
        Assert.True(item.Status.Further!.ContainsKey("disks"));
        await store.DeleteAsync("worker-1", etag, default);
        Assert.Null(await Plane.Nodes().FindAsync("worker-1", default));
    }

    protected override IRecordStore<NodeRecord> NewStore() => Plane.NodeStore();

    protected override string Name(string tail) => "node-" + tail;

    protected override NodeRecord Sample(string name, int number) => SampleRecords.Node(name, number);
}
