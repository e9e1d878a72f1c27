using System.Collections.Concurrent;
using Carina.Harness.Cluster;
using Carina.Harness.Sidecars;
using Csi.V1;
using Grpc.Core;

namespace Carina.E2E.Tests.Clusters;

/// <summary>
/// A test on a shared cluster. It leaves the cluster as it found it: no volumes, and every byte available again.
/// </summary>
public abstract class ClusterTest(ClusterFixture fixture) : IAsyncLifetime
{
    protected const long MiB = 1L << 20;

    // Claims are made side by side.
    private readonly ConcurrentBag<string> _handles = [];

    protected EmbeddedCluster Cluster => fixture.Cluster;

    protected Controller.ControllerClient Controller => Cluster.Controller.Csi.Controller;

    protected static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>What each node has to give while there are no volumes.</summary>
    protected IReadOnlyDictionary<string, long> EmptyCapacities => fixture.EmptyCapacities;

    public virtual ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (TestContext.Current.TestState?.Result == TestResult.Failed)
        {
            // One failure is enough: the next test finds a clean cluster.
            await Cluster.ClearKubeletsAsync();
        }

        foreach (var handle in _handles.Distinct())
        {
            await Controller.DeleteVolumeAsync(new() { VolumeId = handle }, cancellationToken: CancellationToken.None);
        }

        Assert.Empty(await Cluster.FindDriverLeftoversAsync(CancellationToken.None));
        Assert.Equal(EmptyCapacities, await GetCapacitiesAsync());
    }

    protected Task<IReadOnlyDictionary<string, long>> GetCapacitiesAsync() => fixture.GetCapacitiesAsync();

    /// <summary>Creates a volume that is deleted at the end of the test, if the test has not done so.</summary>
    protected async Task<PersistentVolume> ProvisionAsync(VolumeRequest request, string? node = null)
    {
        var volume = await Cluster.Provisioner.ProvisionAsync(request, node, Stop);
        _handles.Add(volume.Handle);
        return volume;
    }

    /// <summary>As <see cref="ProvisionAsync"/>, with a call of the test's own.</summary>
    protected async Task<Volume> CreateAsync(CreateVolumeRequest call)
    {
        var response = await Controller.CreateVolumeAsync(call, cancellationToken: Stop);
        _handles.Add(response.Volume.VolumeId);
        return response.Volume;
    }

    /// <summary>Stages and publishes a volume to a new pod, until the result is disposed of.</summary>
    protected async Task<Pod> RunPodAsync(PersistentVolume volume) =>
        await Pod.StartAsync(Cluster.Node(volume.Node).Kubelet, volume, Stop);

    /// <summary>Sizes of this volume on the disks of all nodes; one unless it is missing or leaked.</summary>
    protected async Task<IReadOnlyList<long>> FindOnDisksAsync(string handle)
    {
        var found = new List<long>();
        foreach (var node in Cluster.Nodes)
        {
            found.AddRange((await node.Storage.ListVolumesAsync(Stop))
                .Where(v => v.Key.Contains(handle, StringComparison.Ordinal))
                .Select(v => v.Value));
        }

        return found;
    }

    /// <summary>The call must fail with this code and a message for people.</summary>
    protected static async Task<string> RequireErrorAsync(StatusCode code, Func<Task> call)
    {
        var error = await Assert.ThrowsAsync<RpcException>(call);
        Assert.Equal((code, error.Status.Detail), (error.StatusCode, error.Status.Detail));
        Assert.True(error.Status.Detail.Length > 10, $"'{error.Status.Detail}' helps nobody.");
        return error.Status.Detail;
    }
}
