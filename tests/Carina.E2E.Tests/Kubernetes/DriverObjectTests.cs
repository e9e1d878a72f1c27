using System.Globalization;
using System.Text.Json;
using Carina.E2E.Tests.Clusters;
using Carina.Grains;
using Carina.Harness.Data;
using Carina.Harness.Kubernetes;
using Carina.Harness.Sidecars;
using Grpc.Core;

namespace Carina.E2E.Tests.Kubernetes;

/// <summary>What users see of volumes and capacity with kubectl, and what happens while the API server is away.</summary>
[Collection(KubernetesCollection.Name)]
public sealed class DriverObjectTests(ThreeKubernetesNodes fixture) : ClusterTest(fixture)
{
    private const long Size = 64 * MiB;
    private const string Node = "node-2";

    private ControlPlane Plane => fixture.Truth.Plane;

    [Fact]
    public async Task A_volume_is_a_LogicVolume_from_its_creation_to_its_deletion()
    {
        var volume = await ProvisionAsync(new() { Bytes = Size }, Node);
        var item = await ReadAsync("logicvolume", volume.Handle["volume-".Length..]);
        Assert.Equal(Node, item.GetProperty("spec").GetProperty("nodeName").GetString());
        Assert.Equal(Cluster.Pool, item.GetProperty("spec").GetProperty("deviceGroup").GetString());
        Assert.Equal("64Mi", item.GetProperty("spec").GetProperty("size").GetString());
        Assert.Equal("carina.storage.io/logicvolume", item.GetProperty("metadata").GetProperty("finalizers")[0].GetString());
        Assert.Equal(volume.Handle, item.GetProperty("status").GetProperty("volumeID").GetString());
        Assert.Equal("Success", item.GetProperty("status").GetProperty("status").GetString());

        var (grown, _) = await Cluster.Resizer.ExpandAsync(volume, 2 * Size, Stop);
        item = await ReadAsync("logicvolume", volume.Handle["volume-".Length..]);
        Assert.Equal("128Mi", item.GetProperty("spec").GetProperty("size").GetString());
        Assert.Equal("128Mi", item.GetProperty("status").GetProperty("currentSize").GetString());

        await Cluster.Provisioner.DeleteAsync(grown, Stop);
        Assert.Equal("", (await Plane.KubectlAsync("get", "lv", "--output=name")).Trim());
    }

    [Fact]
    public async Task A_node_shows_its_capacity_as_a_NodeStorageResource()
    {
        var volume = await ProvisionAsync(new() { Bytes = 1L << 30 }, Node);
        var status = (await ReadAsync("nodestorageresource", Node)).GetProperty("status");
        var key = "carina.storage.io/" + Cluster.Pool;
        var available = (await GetCapacitiesAsync())[Node];
        Assert.Equal(available >> 30, Gibibytes(status.GetProperty("allocatable").GetProperty(key)));
        Assert.InRange(Gibibytes(status.GetProperty("capacity").GetProperty(key)), (available + volume.Bytes) >> 30, 3);
        Assert.Contains(Node, await Plane.KubectlAsync("get", "nsr"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task While_the_API_server_is_away_pods_write_on_and_staged_volumes_go_on_and_nothing_new_is_promised()
    {
        var volume = await ProvisionAsync(new() { Bytes = Size, FileSystem = "ext4" }, Node);
        var kubelet = Cluster.Node(Node).Kubelet;
        await using var pod = await RunPodAsync(volume);
        await using var writer = SteadyWriter.Start(pod.File("journal"), 0, 4 * MiB, 1);
        await writer.WaitForAsync(MiB, Stop);

        await Plane.KillApiServerAsync(Stop);
        try
        {
            // Longer than the table's refresh, the watches' pauses and a silo's patience with others.
            await Task.Delay(TimeSpan.FromSeconds(20), Stop);
            var uid = Guid.NewGuid().ToString();
            await kubelet.PublishAsync(volume, uid, Stop);
            await kubelet.UnpublishAsync(volume, uid, Stop);
            await writer.WaitForAsync(MiB, Stop);
            await RequireErrorAsync(StatusCode.Unavailable, () => CreateAsync(ProvisionerSim.ToCall(new() { Bytes = Size }, Node)));
        }
        finally
        {
            await Plane.StartApiServerAsync(Stop);
        }

        // Everything goes on by itself, in the same processes.
        Assert.All(Cluster.Members, member => Assert.True(member.IsRunning));
        var other = await Retry.CallAsync(() => ProvisionAsync(new() { Bytes = Size }, "node-1"), Stop);
        Assert.Equal("node-1", other.Node);
        await writer.StopAndVerifyAsync(Stop);
    }

    [Fact]
    public async Task A_guarded_volume_is_written_on_while_the_API_server_is_away_for_all_nodes()
    {
        var request = new VolumeRequest
        {
            Bytes = Size,
            FileSystem = "ext4",
            Parameters = new Dictionary<string, string> { [CarinaNames.AllowMigration] = "true" },
        };
        var volume = await ProvisionAsync(request, Node);
        await using (var pod = await RunPodAsync(volume))
        {
            Assert.Equal("true", await GuardedAsync());
            await using var writer = SteadyWriter.Start(pod.File("journal"), 0, 4 * MiB, 1);
            await writer.WaitForAsync(MiB, Stop);
            await Plane.KillApiServerAsync(Stop);
            try
            {
                // Twice as long as a node that is cut off alone goes on; that it does, the others have to say by Orleans.
                await Task.Delay(TimeSpan.FromSeconds(25), Stop);
                await writer.WaitForAsync(MiB, Stop);
            }
            finally
            {
                await Plane.StartApiServerAsync(Stop);
            }

            await writer.StopAndVerifyAsync(Stop);
        }

        await Eventually.ReadAsync("the word to be taken back", GuardedAsync, guarded => guarded == "false", Stop);
    }

    private async Task<string?> GuardedAsync() =>
        (await ReadAsync("lease", "carina-node-" + Node, "--namespace=" + KubernetesTruth.Namespace))
        .GetProperty("metadata").GetProperty("annotations").GetProperty("carina.storage.io/guarded").GetString();

    private async Task<JsonElement> ReadAsync(string kind, string name, params string[] more)
    {
        using var document = JsonDocument.Parse(await Plane.KubectlAsync(["get", kind, name, "--output=json", .. more]));
        return document.RootElement.Clone();
    }

    private static long Gibibytes(JsonElement quantity) => long.Parse(quantity.GetString()!, CultureInfo.InvariantCulture);
}
