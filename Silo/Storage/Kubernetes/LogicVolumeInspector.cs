using Carina.Grains.Errors;
using Carina.Grains.Storage;
using Carina.Grains.Volumes;
using Carina.Kubernetes.Client;
using Carina.Kubernetes.Resources;
using Carina.Silo.Events;
using k8s;

namespace Carina.Silo.Storage.Kubernetes;

/// <summary>
/// Looks at one LogicVolume: says in status and by an Event what somebody did to it, puts the finalizer back, publishes
/// what could not be published, and takes over what Carina left. Changes no record, and nothing on any disk.
/// </summary>
internal sealed partial class LogicVolumeInspector(
    IKubernetes client, IRecordStore<VolumeRecord> store, TimeProvider time, ILogger<LogicVolumeInspector> logger)
{
    public const string EditedByHand = "EditedByHand";
    public const string DeletedByHand = "DeletedByHand";
    public const string FinalizerRestored = "FinalizerRestored";

    private readonly CustomObjectClient<LogicVolume> _objects = client.LogicVolumes();
    private readonly KubernetesEvents _events = new(client, time);

    /// <summary>Whether there is something to do about an object; costs no request, but may change <paramref name="item"/>.</summary>
    public bool NeedsAttention(LogicVolume item)
    {
        if (!LogicVolumeStore.HoldsRecord(item))
        {
            return false;
        }

        if (LogicVolumeAcceptance.FindRefusal(item) is { } refusal)
        {
            return LogicVolumeStatusMapping.ApplyRefusal(item, refusal, time.GetUtcNow());
        }

        return LacksFinalizer(item) || IsToBeTakenOver(item)
            || (!item.Spec.IsLegacy && TryRead(item) is { } record
                && LogicVolumeStatusMapping.Apply(item, record, settlesFailure: false, time.GetUtcNow()));
    }

    /// <summary>Does what there is to do. An edit in between is left to the next look.</summary>
    public async Task InspectAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            if (await _objects.FindAsync(name, cancellationToken).ConfigureAwait(false) is { } item
                && LogicVolumeStore.HoldsRecord(item))
            {
                await InspectAsync(item, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception exception) when (exception.IsConflict() || exception.IsNotFound() || exception is RecordConflictException)
        {
            LogChangedMeanwhile(name);
        }
    }

    private async Task InspectAsync(LogicVolume item, CancellationToken cancellationToken)
    {
        if (LacksFinalizer(item))
        {
            item.Metadata.Finalizers = [.. item.Metadata.Finalizers ?? [], CarinaApi.Finalizer];
            item = await _objects.ReplaceAsync(item, cancellationToken).ConfigureAwait(false);
            await WarnAsync(
                item, FinalizerRestored,
                $"Somebody removed the finalizer {CarinaApi.Finalizer}, which keeps this object while its volume exists; it is back.",
                cancellationToken).ConfigureAwait(false);
        }

        if (LogicVolumeAcceptance.FindRefusal(item) is { } refusal)
        {
            if (LogicVolumeStatusMapping.ApplyRefusal(item, refusal, time.GetUtcNow()))
            {
                // Of several that look, the one whose write is taken tells.
                item = await _objects.ReplaceStatusAsync(item, cancellationToken).ConfigureAwait(false);
                await WarnAsync(item, EditedByHand, refusal, cancellationToken).ConfigureAwait(false);
            }

            return;
        }

        if (IsToBeTakenOver(item))
        {
            await TakeOverAsync(item, cancellationToken).ConfigureAwait(false);
        }
        else if (!item.Spec.IsLegacy && TryRead(item) is { } record)
        {
            await PublishAsync(item, record, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task PublishAsync(LogicVolume item, VolumeRecord record, CancellationToken cancellationToken)
    {
        var knew = IsMarked(item);
        if (!LogicVolumeStatusMapping.Apply(item, record, settlesFailure: false, time.GetUtcNow()))
        {
            return;
        }

        item = await _objects.ReplaceStatusAsync(item, cancellationToken).ConfigureAwait(false);
        if (!knew && IsMarked(item))
        {
            await WarnAsync(
                item, DeletedByHand,
                item.Status!.Conditions!.First(c => c.Type == LogicVolumeStatusMapping.DeletionRequested).Message,
                cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Writes all fields that Carina did not: from here on an edit by hand is noticed.</summary>
    private async Task TakeOverAsync(LogicVolume item, CancellationToken cancellationToken)
    {
        var name = LogicVolumeNames.HandleOf(item);
        if (await store.ReadAsync(name, cancellationToken).ConfigureAwait(false) is { } stored)
        {
            await store.WriteAsync(name, stored.Value, stored.ETag, cancellationToken).ConfigureAwait(false);
            LogTakenOver(name, stored.Value.NodeName, stored.Value.Pool);
        }
    }

    private VolumeRecord? TryRead(LogicVolume item)
    {
        try
        {
            return LogicVolumeMapping.Read(item);
        }
        catch (StorageException exception)
        {
            LogUnreadable(item.Metadata.Name, exception.Message);
            return null;
        }
    }

    private Task WarnAsync(LogicVolume item, string reason, string message, CancellationToken cancellationToken)
    {
        LogWarned(item.Metadata.Name, reason, message);
        return _events.WriteAsync(
            LogicVolumeNames.Reference(item.Metadata.Name, item), warning: true, reason, message, cancellationToken);
    }

    // A volume that Carina may still be making stays Carina's until it is made.
    private static bool IsToBeTakenOver(LogicVolume item) =>
        item.Spec.IsLegacy && !string.IsNullOrEmpty(item.Status?.VolumeId) && item.Spec.Size.Bytes > 0;

    private static bool LacksFinalizer(LogicVolume item) =>
        item.Metadata.DeletionTimestamp is null && item.Metadata.Finalizers?.Contains(CarinaApi.Finalizer) != true
        && (!item.Spec.IsLegacy || IsToBeTakenOver(item));

    private static bool IsMarked(LogicVolume item) =>
        item.Status?.Conditions?.Any(c => c.Type == LogicVolumeStatusMapping.DeletionRequested) == true;

    [LoggerMessage(1, LogLevel.Debug, "LogicVolume {Name} was changed while it was looked at; it is looked at again")]
    private partial void LogChangedMeanwhile(string name);

    [LoggerMessage(2, LogLevel.Information, "Volume {VolumeId} on node {Node} in pool {Pool} was made by Carina up to 0.14; it is taken over")]
    private partial void LogTakenOver(string volumeId, string node, string pool);

    [LoggerMessage(3, LogLevel.Warning, "LogicVolume {Name} cannot be read: {Reason}")]
    private partial void LogUnreadable(string name, string reason);

    [LoggerMessage(4, LogLevel.Warning, "LogicVolume {Name}: {Reason}: {Text}")]
    private partial void LogWarned(string name, string reason, string text);
}
