using Carina.Grains.Volumes;

namespace Carina.Grains.Failover;

/// <summary>Whether a node that says nothing can be known to have stopped writing to a volume. Pure.</summary>
internal static class LapseEvidence
{
    /// <summary>What says that it has stopped, or what is missing; the other of the two is empty.</summary>
    /// <param name="record">The volume, with the move that takes it away.</param>
    /// <param name="group">Its group, with the pods on the node.</param>
    /// <param name="node">The node as observed.</param>
    /// <param name="options">What the operator wants.</param>
    public static (string Evidence, string Missing) Find(
        VolumeRecord record, VolumeGroup group, ObservedNode node, FailoverOptions options)
    {
        var handOver = HandOverPolicy.Of(record.Parameters, options);
        if (handOver == HandOver.Fenced)
        {
            return ("", "only its own word counts (hand-over: fenced)");
        }

        var from = record.Move!.From;

        // Whether or not it is known to have run: the kubelet's word of that may be what did not get through.
        var mayHaveWritten = group.Pods.FirstOrDefault(p => p.NodeName == node.Name);
        var guarded = record.Guard is { } guard && guard.NodeName == from.NodeName && guard.Generation == from.Generation;
        if (!guarded && mayHaveWritten is not null)
        {
            return ("", $"it gave no word to stop writing by itself (pod {mayHaveWritten.Name} may have started before that)");
        }

        return node.Lease switch
        {
            null => ("", "it has no lease that could lapse"),
            { Guarded: false } => ("", "nothing on it was there to stop writing when its lease lapses"),
            { HasGuardProcess: false } when handOver == HandOver.Guarded =>
                ("", "no guard process was seen beside its silo before its lease was renewed last (hand-over: guarded)"),
            { } lease when !lease.HasLapsed(options.LeaseMargin) => ("", "its lease has not lapsed yet"),
            { } lease => (
                $"its lease has lapsed ({lease.Silence.TotalSeconds:0} s without renewal), before which it stopped writing by itself"
                + (lease.HasGuardProcess ? " (a guard process was there to see to it)." : "."), ""),
        };
    }
}
