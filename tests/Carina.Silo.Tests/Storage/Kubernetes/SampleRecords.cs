using Carina.Grains;
using Carina.Grains.Configuration;
using Carina.Grains.Nodes;
using Carina.Grains.Volumes;

namespace Carina.Silo.Tests.Storage.Kubernetes;

/// <summary>Records with something in every field.</summary>
internal static class SampleRecords
{
    public const long GiB = 1L << 30;

    public static VolumeRecord Volume(string volumeId, int number = 0) => new()
    {
        VolumeId = volumeId,
        Name = volumeId[CarinaNames.VolumePrefix.Length..],
        State = VolumeState.Ready,
        NodeName = "node-1",
        Pool = "carina-vg-ssd",
        Policy = PoolPolicy.Lvm,
        Bytes = (5 * GiB) + (number * (4L << 20)),
        TargetBytes = (5 * GiB) + (number * (4L << 20)),
        Generation = 3,
        Access = VolumeAccess.FileSystem,
        FileSystem = "xfs",
        Parameters = new()
        {
            ["carina.storage.io/disk-group-name"] = "ssd",
            ["csi.storage.k8s.io/pvc/name"] = "data",
            ["csi.storage.k8s.io/pvc/namespace"] = "shop",
            ["empty"] = "",
        },
        MutableParameters = new() { [CarinaNames.ReadAheadKiB] = "128" },
        PublishedNodes = new() { ["node-1"] = false, ["node-2"] = true },
        CreatedAt = new DateTimeOffset(2026, 11, 24, 1, 2, 3, TimeSpan.Zero).AddTicks(4_567_891),
        DevicePath = $"/dev/carina-vg-ssd/{volumeId}",
        RequestedBytes = (5 * GiB) - 1,
        LimitBytes = 9 * GiB,
        Abandoned = [new("node-0", "carina-vg-hdd", 1), new("node-2", "carina-vg-ssd", 2)],
    };

    public static NodeRecord Node(string name, int number = 0) => new()
    {
        NodeName = name,
        Incarnation = 63_000_000_123 + number,
        Labels = new() { ["node-role.kubernetes.io/master"] = "", ["topology.carina.storage.io/node"] = name, ["zone"] = "a" },
        Pools =
        [
            new()
            {
                Name = "carina-vg-hdd",
                Policy = PoolPolicy.Lvm,
                SizeBytes = 0,
                ForeignBytes = 0,
                ReserveBytes = 10 * GiB,
                GranularityBytes = 4 << 20,
                Problem = "This node has no volume group 'carina-vg-hdd'.",
            },
            new()
            {
                Name = "carina-vg-ssd",
                Policy = PoolPolicy.Lvm,
                SizeBytes = (100 * GiB) - (4 << 20),
                ForeignBytes = 20 * GiB,
                ReserveBytes = 10 * GiB,
                GranularityBytes = 4 << 20,
                Unexplained = [new("volume-lost", 2, GiB)],
                Unclaimed = [new("volume-of-old", 1, 3 * GiB)],
                VolumeGroup = new()
                {
                    Name = "carina-vg-ssd",
                    Attributes = "wz--n-",
                    ForeignVolumes = 1,
                    Disks = [new("/dev/sdb", "lvm2", "a--", (100 * GiB) - (4 << 20), 79 * GiB)],
                },
            },
        ],
        Allocations =
        [
            new() { VolumeId = "volume-a", Pool = "carina-vg-ssd", Generation = 1, Bytes = 5 * GiB, DiskBytes = 5 * GiB, Attached = true },
            new()
            {
                VolumeId = "volume-b",
                Pool = "carina-vg-ssd",
                Generation = 4,
                Bytes = 7 * GiB,
                ExpiresAt = new DateTimeOffset(2026, 11, 24, 1, 2, 3, TimeSpan.Zero).AddTicks(1),
                Problem = "The disk does not show this volume.",
            },
        ],
    };
}
