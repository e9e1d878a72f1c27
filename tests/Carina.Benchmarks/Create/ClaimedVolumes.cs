using Carina.Harness.Cluster;
using Carina.Harness.Sidecars;

namespace Carina.Benchmarks.Create;

/// <summary>Volumes asked for over CSI as external-provisioner does, on the cluster's first node.</summary>
internal sealed class ClaimedVolumes(EmbeddedCluster cluster, long bytes)
{
    private PersistentVolume[] _volumes = [];

    public async Task CreateAsync(int count) => _volumes = await Task.WhenAll(Enumerable.Range(0, count).Select(_ =>
        cluster.Provisioner.ProvisionAsync(
            new VolumeRequest { Bytes = bytes, FileSystem = "ext4", Pool = cluster.Pool }, cluster.Nodes[0].Name, CancellationToken.None)));

    public Task DeleteAsync() =>
        Task.WhenAll(_volumes.Select(volume => cluster.Provisioner.DeleteAsync(volume, CancellationToken.None)));
}
