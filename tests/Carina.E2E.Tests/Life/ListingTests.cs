using Carina.E2E.Tests.Clusters;
using Csi.V1;
using Grpc.Core;

namespace Carina.E2E.Tests.Life;

/// <summary>Looking at volumes.</summary>
public abstract class ListingTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    [Fact]
    public async Task Pages_hold_every_volume_once()
    {
        var made = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            made.Add((await ProvisionAsync(new() { Bytes = 64 * MiB })).Handle);
        }

        var pages = new List<ListVolumesResponse>();
        do
        {
            pages.Add(await ListAsync(2, pages.Count == 0 ? "" : pages[^1].NextToken));
        }
        while (pages[^1].NextToken.Length > 0);

        Assert.Equal([2, 2, 1], pages.Select(p => p.Entries.Count));
        Assert.Equal(made.Order(), pages.SelectMany(p => p.Entries).Select(e => e.Volume.VolumeId).Order());
    }

    [Fact]
    public async Task A_volume_deleted_between_two_pages_hides_no_other()
    {
        var made = new List<string>();
        for (var i = 0; i < 4; i++)
        {
            made.Add((await ProvisionAsync(new() { Bytes = 64 * MiB })).Handle);
        }

        var first = await ListAsync(2, "");
        var last = first.Entries[^1].Volume.VolumeId;
        await Controller.DeleteVolumeAsync(new() { VolumeId = last }, cancellationToken: Stop);
        var second = await ListAsync(2, first.NextToken);
        Assert.Equal(
            made.Order(), first.Entries.Concat(second.Entries).Select(e => e.Volume.VolumeId).Order());
        Assert.Empty(second.NextToken);
    }

    [Fact]
    public async Task An_invented_token_is_refused() =>
        await RequireErrorAsync(StatusCode.Aborted, () => ListAsync(2, "page two, please"));

    [Fact]
    public async Task A_volume_is_shown_as_it_was_made()
    {
        var volume = await ProvisionAsync(new() { Bytes = 64 * MiB, Pool = Cluster.Pool });
        var one = await Controller.ControllerGetVolumeAsync(new() { VolumeId = volume.Handle }, cancellationToken: Stop);
        Assert.Equal(volume.Bytes, one.Volume.CapacityBytes);
        Assert.Equal(volume.Attributes, one.Volume.VolumeContext.ToDictionary());
        Assert.False(one.Status.VolumeCondition.Abnormal, one.Status.VolumeCondition.Message);
        await RequireErrorAsync(
            StatusCode.NotFound,
            async () => await Controller.ControllerGetVolumeAsync(new() { VolumeId = "volume-never-was" }, cancellationToken: Stop));
    }

    [Fact]
    public async Task A_published_volume_says_to_which_node()
    {
        var volume = await ProvisionAsync(new() { Bytes = 64 * MiB });
        await Controller.ControllerPublishVolumeAsync(
            new() { VolumeId = volume.Handle, NodeId = volume.Node, VolumeCapability = volume.Capability },
            cancellationToken: Stop);
        Assert.Equal([volume.Node], (await ListAsync(0, "")).Entries.Single().Status.PublishedNodeIds);
        await RequireErrorAsync(
            StatusCode.FailedPrecondition, () => Cluster.Provisioner.DeleteAsync(volume, Stop));
        await Controller.ControllerUnpublishVolumeAsync(
            new() { VolumeId = volume.Handle, NodeId = volume.Node }, cancellationToken: Stop);
        Assert.Empty((await ListAsync(0, "")).Entries.Single().Status.PublishedNodeIds);
    }

    private async Task<ListVolumesResponse> ListAsync(int entries, string token) =>
        await Controller.ListVolumesAsync(new() { MaxEntries = entries, StartingToken = token }, cancellationToken: Stop);
}

[Collection(FileCollection.Name)]
public sealed class FileListingTests(ThreeFileNodes fixture) : ListingTests(fixture);

[Collection(LvmCollection.Name)]
[Trait(Kernel.Trait, Kernel.DeviceMapper)]
public sealed class LvmListingTests(ThreeLvmNodes fixture) : ListingTests(fixture);

[Collection(KubernetesCollection.Name)]
public sealed class KubernetesListingTests(ThreeKubernetesNodes fixture) : ListingTests(fixture);
