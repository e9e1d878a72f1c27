namespace Carina.Grains.Nodes;

/// <summary>Tells whether a report changed anything worth storing: an idle node must not write.</summary>
internal static class RecordComparer
{
    public static bool Same(NodeRecord a, NodeRecord b) =>
        a.Incarnation == b.Incarnation
        && a.Labels.Count == b.Labels.Count
        && a.Labels.All(l => b.Labels.TryGetValue(l.Key, out var value) && value == l.Value)
        && a.Allocations.SequenceEqual(b.Allocations)
        && a.Pools.Count == b.Pools.Count
        && a.Pools.Zip(b.Pools).All(p => SamePool(p.First, p.Second));

    private static bool SamePool(LedgerPool a, LedgerPool b) =>
        a with { Unexplained = b.Unexplained, Unclaimed = b.Unclaimed } == b
        && a.Unexplained.SequenceEqual(b.Unexplained)
        && a.Unclaimed.SequenceEqual(b.Unclaimed);
}
