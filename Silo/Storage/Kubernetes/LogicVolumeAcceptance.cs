using Carina.Grains.Errors;
using Carina.Kubernetes.Resources;

namespace Carina.Silo.Storage.Kubernetes;

/// <summary>
/// Whether a LogicVolume's spec is what the driver wrote. Sizes go through claims, so there is nothing in it that
/// anybody else may change.
/// </summary>
internal static class LogicVolumeAcceptance
{
    private static readonly string[] _withheld = ["parameters", "mutableParameters", "checksum"];

    /// <summary>Why the spec is not acted upon, naming the field; null when it is.</summary>
    public static string? FindRefusal(LogicVolume item)
    {
        ArgumentNullException.ThrowIfNull(item);
        var spec = item.Spec;
        if (spec.IsLegacy || SpecChecksum.Fits(spec))
        {
            return null;
        }

        var edited = item.Status?.Accepted is { } accepted
            ? SpecChecksum.Differences(accepted, spec).Where(d => !_withheld.Contains(d.Field)).ToList()
            : [];
        var what =
            edited.Count > 0 ? string.Join("; ", edited.Select(d =>
                $"spec.{d.Field} is {Quote(d.Theirs)}, the driver wrote {Quote(d.Ours)}"))
            : spec.Checksum is null ? "spec.checksum was removed"
            : item.Status?.Accepted is null ? "a field of spec is not what the driver wrote"
            : item.Status.Accepted.Checksum != spec.Checksum ? "spec.checksum is not what the driver wrote"
            : "spec.parameters or spec.mutableParameters is not what the driver wrote";
        return $"{what}. Put it back (status.accepted shows what stood there); sizes are changed through the claim. "
            + "Until then nothing is done with this volume, and its data stays as it is.";
    }

    /// <exception cref="StorageException">FailedPrecondition when the spec was edited by somebody else.</exception>
    public static void Require(LogicVolume item)
    {
        if (FindRefusal(item) is { } refusal)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition, $"LogicVolume '{item.Metadata.Name}' was edited by hand: {refusal}");
        }
    }

    /// <summary>What status keeps of an accepted spec: everything that a person might have to put back.</summary>
    public static LogicVolumeSpec Summarize(LogicVolumeSpec spec) => new()
    {
        NodeName = spec.NodeName,
        Size = spec.Size,
        DeviceGroup = spec.DeviceGroup,
        Pvc = spec.Pvc,
        NameSpace = spec.NameSpace,
        VolumeName = spec.VolumeName,
        VolumeId = spec.VolumeId,
        State = spec.State,
        ManageType = spec.ManageType,
        AllocatedSize = spec.AllocatedSize,
        VolumeGeneration = spec.VolumeGeneration,
        VolumeMode = spec.VolumeMode,
        FsType = spec.FsType,
        DevicePath = spec.DevicePath,
        CreatedAt = spec.CreatedAt,
        CapacityRange = spec.CapacityRange,
        PublishedNodes = spec.PublishedNodes,
        AbandonedPlaces = spec.AbandonedPlaces,
        Move = spec.Move,
        RetiredCopies = spec.RetiredCopies,
        LastGeneration = spec.LastGeneration,
        Guard = spec.Guard,
        Checksum = spec.Checksum,
        Further = spec.Further,
    };

    private static string Quote(string value) => value.Length == 0 ? "missing" : $"'{value}'";
}
