using Carina.Grains.Volumes;
using Carina.Kubernetes.Resources;

namespace Carina.Silo.Storage.Kubernetes;

/// <summary>What a LogicVolume's status says, given its spec. Never the other way round.</summary>
internal static class LogicVolumeStatusMapping
{
    public const string Ready = "Ready";
    public const string Accepted = "Accepted";
    public const string DeletionRequested = "DeletionRequested";

    /// <summary>Brings status in line with a record that was just read from, or written to, the object.</summary>
    /// <param name="settlesFailure">Whether this follows a change, which settles an earlier failure.</param>
    /// <returns>Whether status has to be written.</returns>
    public static bool Apply(LogicVolume item, VolumeRecord record, bool settlesFailure, DateTimeOffset now)
    {
        var status = item.Status ??= new LogicVolumeStatus();
        var exists = record.Bytes > 0;
        var changed = Set(status.VolumeId ?? "", exists ? record.VolumeId : "", v => status.VolumeId = v.Length > 0 ? v : null);
        changed |= Set(status.CurrentSize?.Bytes ?? 0, record.Bytes, v => status.CurrentSize = v > 0 ? new Quantity(v) : null);
        if (settlesFailure || status.Status != LogicVolumeStatus.Failed)
        {
            changed |= Set(status.Status ?? "", exists ? LogicVolumeStatus.Success : "", v => status.Status = v.Length > 0 ? v : null);
            changed |= Set(status.Code ?? 0, 0, _ => status.Code = null);
            changed |= Set(status.Message ?? "", "", _ => status.Message = null);
        }

        if (status.Accepted?.Checksum != item.Spec.Checksum)
        {
            status.Accepted = LogicVolumeAcceptance.Summarize(item.Spec);
            changed = true;
        }

        var generation = item.Metadata.Generation;
        var conditions = status.Conditions ??= [];
        changed |= record.State switch
        {
            VolumeState.Ready => conditions.Set(Ready, true, "Created", "The volume exists on its node.", generation, now),
            VolumeState.Deleting => conditions.Set(Ready, false, "Deleting", "The volume is being removed from its node.", generation, now),
            _ => conditions.Set(Ready, false, "Creating", "The volume is being made on its node.", generation, now),
        };
        changed |= conditions.Set(Accepted, true, "WrittenByDriver", "The driver wrote this spec.", generation, now);
        return changed | ApplyDeletion(item, record.State == VolumeState.Deleting, now);
    }

    /// <summary>Says in status that spec was edited and is not acted upon; whether that is news.</summary>
    public static bool ApplyRefusal(LogicVolume item, string refusal, DateTimeOffset now)
    {
        var status = item.Status ??= new LogicVolumeStatus();
        var changed = (status.Conditions ??= [])
            .Set(Accepted, false, "EditedByHand", refusal, item.Metadata.Generation, now);
        return changed | ApplyDeletion(item, expected: false, now);
    }

    // kubectl delete only marks the object while the finalizer is there, and nothing takes that mark away again.
    private static bool ApplyDeletion(LogicVolume item, bool expected, DateTimeOffset now) =>
        item.Metadata.DeletionTimestamp is null || expected
            ? item.Status!.Conditions!.Remove(DeletionRequested)
            : item.Status!.Conditions!.Set(
                DeletionRequested,
                true,
                "VolumeExists",
                "Somebody deleted this object, but its volume is kept: delete the claim (or the PersistentVolume, when its "
                + "policy is Delete) to remove the volume and then this object.",
                item.Metadata.Generation,
                now);

    private static bool Set<T>(T present, T wanted, Action<T> set)
    {
        if (EqualityComparer<T>.Default.Equals(present, wanted))
        {
            return false;
        }

        set(wanted);
        return true;
    }
}
