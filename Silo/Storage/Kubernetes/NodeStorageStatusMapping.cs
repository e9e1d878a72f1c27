using System.Globalization;
using Carina.Grains.Configuration;
using Carina.Grains.Nodes;
using Carina.Kubernetes.Resources;

namespace Carina.Silo.Storage.Kubernetes;

/// <summary>What <c>kubectl get nsr</c> and its readers see of a ledger; written together with it.</summary>
internal static class NodeStorageStatusMapping
{
    private const long GiB = 1L << 30;

    public static NodeStorageStatus ToStatus(NodeRecord record, NodeStorageStatus? previous, DateTimeOffset now)
    {
        // Directories have no capacity of their own (as in Carina 0.14).
        var pools = new NodeLedger(record).ToCapacity().Pools.Where(p => p.Policy != PoolPolicy.Host).ToList();
        var conditions = previous?.Conditions ?? [];
        var problems = record.Pools.Where(p => p.Problem.Length > 0).Select(p => $"{p.Name}: {p.Problem}").ToList();
        conditions.Set(
            "Ready",
            problems.Count == 0,
            problems.Count == 0 ? "PoolsReady" : "PoolProblem",
            problems.Count == 0 ? "All pools are sound." : string.Join(" ", problems),
            null,
            now);
        return new NodeStorageStatus
        {
            SyncTime = now.UtcDateTime,
            Capacity = pools.ToDictionary(p => CarinaApi.CapacityPrefix + p.Name, p => WholeGiB(p.SizeBytes)),
            Allocatable = pools.ToDictionary(p => CarinaApi.CapacityPrefix + p.Name, p => WholeGiB(p.AvailableBytes)),
            VgGroups = [.. record.Pools.Where(p => p.VolumeGroup is not null).Select(p => ToGroup(record, p))],
            Conditions = conditions,
            Ledger = NodeStorageMapping.ToLedger(record, previous?.Ledger),
            Further = previous?.Further,
        };
    }

    // Down, never up: what is shown can be had. Carina showed up to 1 GiB more than there was.
    private static string WholeGiB(long bytes) => (Math.Max(0, bytes) / GiB).ToString(CultureInfo.InvariantCulture);

    private static VolumeGroupStatus ToGroup(NodeRecord record, LedgerPool pool)
    {
        var group = pool.VolumeGroup!;
        var ours = record.Allocations.Where(a => a.Pool == pool.Name && a.DiskBytes > 0).ToList();

        // Follows the volumes made since the disks were last looked at.
        var free = Math.Max(0, pool.SizeBytes - pool.ForeignBytes - pool.Unexplained.Sum(u => u.Bytes) - ours.Sum(a => a.DiskBytes));
        return new VolumeGroupStatus
        {
            Name = group.Name,
            PvCount = group.Disks.Count,
            LvCount = group.ForeignVolumes + pool.Unexplained.Count + ours.Count,
            Attr = group.Attributes,
            Size = pool.SizeBytes,
            Free = free,
            Pvs =
            [
                .. group.Disks.Select(d => new PhysicalVolumeStatus
                {
                    Name = d.Name,
                    GroupName = group.Name,
                    Format = d.Format,
                    Attr = d.Attributes,
                    Size = d.SizeBytes,
                    Free = group.Disks.Count == 1 ? free : d.FreeBytes,
                }),
            ],
        };
    }
}
