using Carina.Grains;
using Carina.Webhook.Claims;
using Carina.Webhook.Tests.Hosting;
using k8s.Models;

namespace Carina.Webhook.Tests.Claims;

/// <summary>Which claims of a pod are found, and what is told of them.</summary>
public sealed class PodClaimsTests : IDisposable
{
    private readonly ClaimWorld _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task A_claim_is_told_with_all_that_placement_needs()
    {
        _world.AddClass("cached", ClaimWorld.Parameters(
            ("carina.storage.io/backend-disk-type", "hdd"),
            ("carina.storage.io/cache-disk-type", "ssd"),
            ("carina.storage.io/cache-disk-ratio", "50")));
        _world.AddClaim("c", "cached", ClaimWorld.Parameters(("volume.kubernetes.io/selected-node", "node-2")));
        var claim = Assert.Single(await FindAsync("c"));
        Assert.Equal(
            ("v0", ClaimWorld.Namespace, "c", "uid-c", ClaimState.Existing, 7L << 30, "Filesystem", "", "", "node-2"),
            (claim.VolumeName, claim.Namespace, claim.Name, claim.Uid, claim.State, claim.RequestedBytes, claim.VolumeMode, claim.PersistentVolume, claim.Node, claim.SelectedNode));
        Assert.Equal("cached", claim.StorageClass!.Metadata.Name);
        Assert.Equal(("hdd", "ssd", "50"), (claim.Parameters[ClassParameters.BackendGroup], claim.Parameters[ClassParameters.CacheGroup], claim.Parameters[ClassParameters.CacheRatio]));
        Assert.Equal(3, claim.Parameters.Count);
    }

    [Fact]
    public async Task The_present_spelling_comes_before_the_old_one()
    {
        _world.AddClass("csi-carina-sc", ClaimWorld.Parameters((CarinaNames.LegacyDiskGroup, "old"), (CarinaNames.DiskGroup, "new")));
        Assert.Equal("new", Assert.Single(await FindAsync("data")).Parameters[CarinaNames.DiskGroup]);
        _world.AddClass("csi-carina-sc", ClaimWorld.Parameters((CarinaNames.LegacyDiskGroup, " old "), (CarinaNames.DiskGroup, "")));
        Assert.Equal("old", Assert.Single(await FindAsync("data")).Parameters[CarinaNames.DiskGroup]);
    }

    [Theory]
    [InlineData("storageclass.kubernetes.io/is-default-class")]
    [InlineData("storageclass.beta.kubernetes.io/is-default-class")]
    public async Task A_claim_without_class_has_the_default_one(string annotation)
    {
        _world.AddClaim("c", null);
        Assert.Empty(await FindAsync("c"));
        _world.AddClass("standard", annotations: ClaimWorld.Parameters((annotation, "true")));
        Assert.Equal("standard", Assert.Single(await FindAsync("c")).StorageClass!.Metadata.Name);
    }

    [Fact]
    public async Task Of_several_default_classes_the_newest_counts()
    {
        var annotations = ClaimWorld.Parameters(("storageclass.kubernetes.io/is-default-class", "true"));
        _world.AddClass("a", annotations: annotations).Metadata.CreationTimestamp = new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        _world.AddClass("b", annotations: annotations, provisioner: "other.example.com").Metadata.CreationTimestamp = new DateTime(2025, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        _world.AddClaim("c", null);
        Assert.Equal("a", Assert.Single(await FindAsync("c")).StorageClass!.Metadata.Name);
    }

    [Fact]
    public async Task An_empty_class_is_none()
    {
        _world.AddClass("standard", annotations: ClaimWorld.Parameters(("storageclass.kubernetes.io/is-default-class", "true")));
        _world.AddClaim("c", "");
        Assert.Empty(await FindAsync("c"));
    }

    [Fact]
    public async Task The_beta_annotation_names_the_class_too()
    {
        _world.AddClaim("c", null, ClaimWorld.Parameters(("volume.beta.kubernetes.io/storage-class", "csi-carina-sc")));
        Assert.Single(await FindAsync("c"));
    }

    [Fact]
    public async Task A_volume_made_by_hand_is_ours_without_any_class()
    {
        _world.AddVolume("pv", "node-3", attributes: ClaimWorld.Parameters((CarinaNames.DiskGroup, "carina-vg-ssd"), (CarinaNames.Node, "elsewhere")));
        _world.AddClaim("c", "", volume: "pv");
        var claim = Assert.Single(await FindAsync("c"));
        Assert.Equal(("pv", "node-3", "carina-vg-ssd"), (claim.PersistentVolume, claim.Node, claim.Parameters[CarinaNames.DiskGroup]));
        Assert.Null(claim.StorageClass);
    }

    [Fact]
    public async Task Without_affinity_the_attribute_says_the_node()
    {
        _world.AddVolume("pv", attributes: ClaimWorld.Parameters((CarinaNames.Node, "node-4")));
        _world.AddClaim("c", "csi-carina-sc", volume: "pv");
        Assert.Equal("node-4", Assert.Single(await FindAsync("c")).Node);
    }

    [Fact]
    public async Task A_volume_of_another_driver_is_not_ours_whatever_its_class()
    {
        _world.AddVolume("pv", driver: "other.example.com");
        _world.AddClaim("c", "csi-carina-sc", volume: "pv");
        Assert.Empty(await FindAsync("c"));
    }

    [Fact]
    public async Task A_claim_whose_class_was_deleted_is_known_by_its_provisioner()
    {
        _world.AddClaim("c", "gone", ClaimWorld.Parameters(("volume.beta.kubernetes.io/storage-provisioner", "carina.storage.io")));
        Assert.Null(Assert.Single(await FindAsync("c")).StorageClass);
        _world.AddClaim("d", "gone");
        Assert.Empty(await FindAsync("d"));
    }

    [Fact]
    public async Task An_ephemeral_volume_is_expected_until_its_claim_is_there()
    {
        var pod = new V1Pod
        {
            Metadata = new() { Name = "job" },
            Spec = new()
            {
                Volumes =
                [
                    new()
                    {
                        Name = "tmp",
                        Ephemeral = new()
                        {
                            VolumeClaimTemplate = new()
                            {
                                Spec = new()
                                {
                                    StorageClassName = "csi-carina-sc",
                                    VolumeMode = "Block",
                                    Resources = new() { Requests = new Dictionary<string, ResourceQuantity> { ["storage"] = new("1500M") } },
                                },
                            },
                        },
                    },
                ],
            },
        };
        var claim = Assert.Single(await _world.PodClaims.FindAsync(pod, ClaimWorld.Namespace, TestContext.Current.CancellationToken));
        Assert.Equal((ClaimState.Expected, "job-tmp", null, 1_500_000_000L, "Block"), (claim.State, claim.Name, claim.Uid, claim.RequestedBytes, claim.VolumeMode));

        _world.AddClaim("job-tmp", "csi-carina-sc");
        claim = Assert.Single(await _world.PodClaims.FindAsync(pod, ClaimWorld.Namespace, TestContext.Current.CancellationToken));
        Assert.Equal((ClaimState.Existing, "uid-job-tmp"), (claim.State, claim.Uid));
    }

    [Fact]
    public async Task A_claim_that_nobody_knows_is_told_as_such()
    {
        var claim = Assert.Single(await FindAsync("foreign", "missing"));
        Assert.Equal(("missing", ClaimState.Unknown, null), (claim.Name, claim.State, claim.Uid));
    }

    private async Task<IReadOnlyList<PodClaim>> FindAsync(params string[] claims) => await _world.PodClaims.FindAsync(
        new PodOutline(ClaimWorld.Namespace, "pod", "", [.. claims.Select((c, i) => new PodVolume("v" + i, c, null))]),
        TestContext.Current.CancellationToken);
}
