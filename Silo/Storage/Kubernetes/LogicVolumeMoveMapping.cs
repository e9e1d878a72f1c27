using Carina.Grains.Agents;
using Carina.Grains.Failover;
using Carina.Grains.Volumes;
using Carina.Kubernetes.Resources;
using static Carina.Silo.Storage.Kubernetes.LogicVolumeMapping;

namespace Carina.Silo.Storage.Kubernetes;

/// <summary>The part of a volume's record that is about its moves, in a LogicVolume's spec.</summary>
internal static class LogicVolumeMoveMapping
{
    public static void Apply(VolumeRecord record, LogicVolumeSpec spec)
    {
        spec.Move = record.Move is { } move ? Write(move) : null;
        spec.LastGeneration = record.LastGeneration > 0 ? record.LastGeneration : null;
        spec.RetiredCopies = NullIfEmpty(record.Retired.Select(Write));
        spec.Guard = record.Guard is { } guard
            ? new() { NodeName = guard.NodeName, VolumeGeneration = guard.Generation, Since = Timestamps.Format(guard.Since) }
            : null;
        spec.History = NullIfEmpty(record.History.Select(
            h => new LogicVolumeHistory { At = Timestamps.Format(h.At), What = h.What }));
    }

    /// <exception cref="Grains.Errors.StorageException">FailedPrecondition when a field holds what it cannot hold.</exception>
    public static VolumeRecord Read(LogicVolume item, VolumeRecord record)
    {
        var spec = item.Spec;
        return record with
        {
            Move = spec.Move is { } move ? ReadMove(item, move) : null,
            LastGeneration = spec.LastGeneration ?? 0,
            Retired = [.. (spec.RetiredCopies ?? []).Select(copy => ReadCopy(item, "retiredCopies.size", copy))],
            Guard = spec.Guard is { } guard
                ? new(guard.NodeName, guard.VolumeGeneration, ReadTime(item, "guard.since", guard.Since))
                : null,
            History = [.. (spec.History ?? []).Select(h => new VolumeHistoryEntry(ReadTime(item, "history.at", h.At), h.What))],
        };
    }

    private static LogicVolumeMove Write(VolumeMove move) => new()
    {
        Id = move.Id,
        Cause = move.Cause.ToString(),
        Phase = move.Phase.ToString(),
        From = Write(move.From),
        StartedAt = Timestamps.Format(move.StartedAt),
        PhaseSince = Timestamps.Format(move.PhaseSince),
        Fence = NullIfEmpty(move.Fence),
        Problem = NullIfEmpty(move.Problem),
        Manifest = NullIfEmpty(move.Manifest),
        Target = move.Target is { } target
            ? new() { NodeName = target.NodeName, DeviceGroup = target.Pool, VolumeGeneration = target.Generation }
            : null,
        MadeSize = move.Made is { } made ? new Quantity(made.Bytes) : null,
        MadeDevicePath = NullIfEmpty(move.Made?.DevicePath ?? ""),
        To = NullIfEmpty(move.To),
        Data = move.Data == MoveData.Fresh ? null : move.Data.ToString(),
        Copied = NullIfEmpty(move.Copied),
        Restores = move.Restores is { } restores ? Write(restores) : null,
    };

    private static LogicVolumeCopy Write(RetiredCopy copy) => new()
    {
        NodeName = copy.NodeName,
        DeviceGroup = copy.Pool,
        VolumeGeneration = copy.Generation,
        Size = new Quantity(copy.Bytes),
        RetiredAt = copy.RetiredAt == default ? null : Timestamps.Format(copy.RetiredAt),
        StoredAs = NullIfEmpty(copy.StoredAs),
    };

    private static VolumeMove ReadMove(LogicVolume item, LogicVolumeMove move) => new()
    {
        Id = move.Id,
        Cause = Enum.TryParse<MoveCause>(move.Cause, out var cause) ? cause : throw Unreadable(item, "move.cause", move.Cause),
        Phase = Enum.TryParse<MovePhase>(move.Phase, out var phase) ? phase : throw Unreadable(item, "move.phase", move.Phase),
        From = ReadCopy(item, "move.from.size", move.From),
        StartedAt = ReadTime(item, "move.startedAt", move.StartedAt),
        PhaseSince = ReadTime(item, "move.phaseSince", move.PhaseSince),
        Fence = move.Fence ?? "",
        Problem = move.Problem ?? "",
        Manifest = move.Manifest ?? "",
        Target = move.Target is { } target ? new(target.NodeName, target.DeviceGroup, target.VolumeGeneration) : null,
        Made = move is { Target: { } place, MadeSize: { } size }
            ? new DiskVolume
            {
                Key = new(LogicVolumeNames.HandleOf(item), place.DeviceGroup, place.VolumeGeneration),
                Bytes = BytesOf(item, "move.madeSize", size),
                DevicePath = move.MadeDevicePath ?? "",
            }
            : null,
        To = move.To ?? "",
        Data = move.Data is not { } data ? MoveData.Fresh
            : Enum.TryParse<MoveData>(data, out var known) ? known : throw Unreadable(item, "move.data", data),
        Copied = move.Copied ?? "",
        Restores = move.Restores is { } restores ? ReadCopy(item, "move.restores.size", restores) : null,
    };

    private static RetiredCopy ReadCopy(LogicVolume item, string field, LogicVolumeCopy copy) =>
        new(copy.NodeName, copy.DeviceGroup, copy.VolumeGeneration, BytesOf(item, field, copy.Size))
        {
            RetiredAt = copy.RetiredAt is { Length: > 0 } at ? ReadTime(item, "retiredAt", at) : default,
            StoredAs = copy.StoredAs ?? "",
        };

    private static DateTimeOffset ReadTime(LogicVolume item, string field, string value) =>
        Timestamps.TryParse(value, out var time) ? time : throw Unreadable(item, field, value);
}
