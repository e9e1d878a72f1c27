using Carina.Grains.Errors;

namespace Carina.Grains.Events;

/// <summary>What happened to a volume. The names are those that users know (Kubernetes: an Event's reason).</summary>
public enum VolumeEventReason
{
    CreateVolumeSuccess,
    CreateVolumeFailed,
    ExpandVolumeSuccess,
    ExpandVolumeFailed,
}

/// <summary>Something that happened to a volume, for people.</summary>
/// <param name="VolumeId">The volume handle.</param>
/// <param name="Reason">What happened.</param>
/// <param name="Message">The whole story in a sentence or two.</param>
/// <param name="Code">Why it failed; null when it did not.</param>
public sealed record VolumeEvent(
    string VolumeId, VolumeEventReason Reason, string Message, StorageErrorCode? Code = null);

/// <summary>Tells people what happens to volumes. Never holds up, and never fails, what it tells of.</summary>
public interface IVolumeEvents
{
    void Report(VolumeEvent happened);
}
