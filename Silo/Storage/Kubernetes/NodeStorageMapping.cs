using Carina.Grains.Agents;
using Carina.Grains.Nodes;
using Carina.Kubernetes.Resources;

namespace Carina.Silo.Storage.Kubernetes;

/// <summary>A node's ledger as the ledger of a NodeStorageResource, and back.</summary>
internal static class NodeStorageMapping
{
    public static NodeStorageLedger ToLedger(NodeRecord record, NodeStorageLedger? previous) => new()
    {
        Version = (previous?.Version ?? 0) + 1,
        AgentIncarnation = record.Incarnation,
        Labels = record.Labels.Count > 0 ? new SortedDictionary<string, string>(record.Labels, StringComparer.Ordinal) : null,
        Pools = [.. record.Pools.Select(ToPool)],
        Allocations = [.. record.Allocations.Select(ToAllocation)],
        Further = previous?.Further,
    };

    public static NodeRecord Read(string node, NodeStorageLedger ledger) => new()
    {
        NodeName = node,
        Incarnation = ledger.AgentIncarnation,
        Labels = ledger.Labels?.ToDictionary(l => l.Key, l => l.Value ?? "", StringComparer.Ordinal) ?? [],
        Pools = [.. ledger.Pools.Select(ReadPool)],
        Allocations = [.. ledger.Allocations.Select(ReadAllocation)],
    };

    private static LedgerPoolStatus ToPool(LedgerPool pool) => new()
    {
        Name = pool.Name,
        Policy = ManageTypes.Of(pool.Policy),
        SizeBytes = pool.SizeBytes,
        ForeignBytes = pool.ForeignBytes,
        ReserveBytes = pool.ReserveBytes,
        GranularityBytes = pool.GranularityBytes,
        Problem = NullIfEmpty(pool.Problem),
        Unexplained = ToVolumes(pool.Unexplained),
        Unclaimed = ToVolumes(pool.Unclaimed),
        VolumeGroup = pool.VolumeGroup is null ? null : new LedgerVolumeGroup
        {
            Name = pool.VolumeGroup.Name,
            Attr = pool.VolumeGroup.Attributes,
            ForeignVolumes = pool.VolumeGroup.ForeignVolumes,
            Disks =
            [
                .. pool.VolumeGroup.Disks.Select(d => new LedgerDisk
                {
                    Name = d.Name,
                    Format = d.Format,
                    Attr = d.Attributes,
                    SizeBytes = d.SizeBytes,
                    FreeBytes = d.FreeBytes,
                }),
            ],
        },
    };

    private static LedgerPool ReadPool(LedgerPoolStatus pool) => new()
    {
        Name = pool.Name,
        Policy = ManageTypes.PolicyOf(pool.Policy),
        SizeBytes = pool.SizeBytes,
        ForeignBytes = pool.ForeignBytes,
        ReserveBytes = pool.ReserveBytes,
        GranularityBytes = Math.Max(1, pool.GranularityBytes),
        Problem = pool.Problem ?? "",
        Unexplained = ReadVolumes(pool.Unexplained),
        Unclaimed = ReadVolumes(pool.Unclaimed),
        VolumeGroup = pool.VolumeGroup is null ? null : new VolumeGroupReport
        {
            Name = pool.VolumeGroup.Name,
            Attributes = pool.VolumeGroup.Attr,
            ForeignVolumes = (int)pool.VolumeGroup.ForeignVolumes,
            Disks = [.. pool.VolumeGroup.Disks.Select(d => new PhysicalVolumeReport(d.Name, d.Format, d.Attr, d.SizeBytes, d.FreeBytes))],
        },
    };

    private static List<LedgerUnexplained>? ToVolumes(List<Unexplained> volumes) => volumes.Count == 0 ? null :
    [
        .. volumes.Select(u => new LedgerUnexplained
        {
            VolumeId = u.VolumeId,
            VolumeGeneration = u.Generation,
            Bytes = u.Bytes,
        }),
    ];

    private static List<Unexplained> ReadVolumes(IList<LedgerUnexplained>? volumes) =>
        [.. (volumes ?? []).Select(u => new Unexplained(u.VolumeId, u.VolumeGeneration, u.Bytes))];

    private static LedgerAllocation ToAllocation(Allocation allocation) => new()
    {
        VolumeId = allocation.VolumeId,
        Pool = allocation.Pool,
        VolumeGeneration = allocation.Generation,
        Bytes = allocation.Bytes,
        DiskBytes = allocation.DiskBytes,
        ExpiresAt = allocation.ExpiresAt is { } expiry ? Timestamps.Format(expiry) : null,
        Attached = allocation.Attached,
        Problem = NullIfEmpty(allocation.Problem),
    };

    private static Allocation ReadAllocation(LedgerAllocation allocation) => new()
    {
        VolumeId = allocation.VolumeId,
        Pool = allocation.Pool,
        Generation = allocation.VolumeGeneration,
        Bytes = allocation.Bytes,
        DiskBytes = allocation.DiskBytes,
        ExpiresAt = Timestamps.TryParse(allocation.ExpiresAt, out var expiry) ? expiry : null,
        Attached = allocation.Attached,
        Problem = allocation.Problem ?? "",
    };

    private static string? NullIfEmpty(string text) => text.Length > 0 ? text : null;
}
