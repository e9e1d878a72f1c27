using Carina.Grains.Storage;
using Carina.Grains.Volumes;
using Carina.Kubernetes.Client;
using Carina.Kubernetes.Resources;
using k8s;

namespace Carina.Silo.Storage.Kubernetes;

/// <summary>
/// Volume records as LogicVolumes. One write of spec and metadata changes the record; status follows in a second one and
/// is only for people. Versions follow spec alone, so labels, annotations, status and kubectl delete disturb nobody.
/// </summary>
internal sealed partial class LogicVolumeStore(IKubernetes client, TimeProvider time, ILogger<LogicVolumeStore> logger)
    : IRecordStore<VolumeRecord>
{
    /// <summary>Edits of others, between our read and our write, that a write puts up with.</summary>
    private const int MaxAttempts = 16;

    // Status has no say: an API server that got slow may not hold up the volume.
    private static readonly TimeSpan _publishTimeout = TimeSpan.FromSeconds(5);
    private readonly CustomObjectClient<LogicVolume> _objects = client.LogicVolumes();
    private readonly RecordPages<LogicVolume, VolumeRecord> _pages = new(client.LogicVolumes(), time);

    public Task<Stored<VolumeRecord>?> ReadAsync(string name, CancellationToken cancellationToken) => ApiExceptions.GuardAsync(
        $"The record of volume '{name}' could not be read",
        async () =>
        {
            var item = await FindAsync(name, cancellationToken).ConfigureAwait(false);
            if (item is null)
            {
                return null;
            }

            LogicVolumeAcceptance.Require(item);
            return new Stored<VolumeRecord>(name, LogicVolumeMapping.Read(item), ETagOf(item));
        },
        cancellationToken);

    public Task<string> WriteAsync(string name, VolumeRecord value, string? etag, CancellationToken cancellationToken) =>
        ApiExceptions.GuardAsync(
            $"The record of volume '{name}' could not be written",
            async () =>
            {
                var written = etag is null
                    ? await CreateAsync(name, value, cancellationToken).ConfigureAwait(false)
                    : await ReplaceAsync(name, value, etag, cancellationToken).ConfigureAwait(false);
                RequireComplete(written);
                await PublishAsync(written, value).ConfigureAwait(false);
                return ETagOf(written);
            },
            cancellationToken);

    public Task DeleteAsync(string name, string etag, CancellationToken cancellationToken) => ApiExceptions.GuardAsync(
        $"The record of volume '{name}' could not be deleted",
        async () =>
        {
            for (var attempt = 0; attempt < MaxAttempts; attempt++)
            {
                var item = await FindAsync(name, cancellationToken).ConfigureAwait(false);
                if (item is null)
                {
                    return true;
                }

                if (ETagOf(item) != etag)
                {
                    break;
                }

                if (await TryDeleteAsync(item, cancellationToken).ConfigureAwait(false))
                {
                    return true;
                }
            }

            throw new RecordConflictException(name);
        },
        cancellationToken);

    /// <summary>Ordered by the objects' names: handles without their prefix.</summary>
    public Task<IReadOnlyList<Stored<VolumeRecord>>> ListAsync(string? after, int limit, CancellationToken cancellationToken) =>
        ApiExceptions.GuardAsync(
            "Volumes could not be listed",
            () => _pages.ListAsync(
                after is null ? null : LogicVolumeNames.ObjectOf(after) ?? after, limit, ReadListed, cancellationToken),
            cancellationToken);

    /// <summary>The spec's version. A deletion counts as a generation, but changes nothing in spec.</summary>
    internal static string ETagOf(LogicVolume item) =>
        $"{item.Metadata.Uid}/{item.Metadata.Generation - (item.Metadata.DeletionTimestamp is null ? 0 : 1)}";

    /// <summary>Whether an object holds a record: not one that only others still hold on to.</summary>
    internal static bool HoldsRecord(LogicVolume item) =>
        item.Metadata.DeletionTimestamp is null || item.Metadata.Finalizers?.Contains(CarinaApi.Finalizer) == true;

    private async Task<LogicVolume?> FindAsync(string name, CancellationToken cancellationToken)
    {
        if (LogicVolumeNames.ObjectOf(name) is not { } objectName)
        {
            return null;
        }

        var item = await _objects.FindAsync(objectName, cancellationToken).ConfigureAwait(false);
        return item is not null && HoldsRecord(item) && LogicVolumeNames.HandleOf(item) == name ? item : null;
    }

    private Stored<VolumeRecord>? ReadListed(LogicVolume item)
    {
        if (!HoldsRecord(item))
        {
            return null;
        }

        try
        {
            LogicVolumeAcceptance.Require(item);
            return new(LogicVolumeNames.HandleOf(item), LogicVolumeMapping.Read(item), ETagOf(item));
        }
        catch (Grains.Errors.StorageException exception)
        {
            // One object that somebody broke hides no others.
            LogLeftOut(item.Metadata.Name, exception.Message);
            return null;
        }
    }

    private async Task<LogicVolume> CreateAsync(string name, VolumeRecord value, CancellationToken cancellationToken)
    {
        var item = new LogicVolume();
        item.Metadata.Name = LogicVolumeNames.ObjectOf(name)
            ?? throw new ArgumentException($"'{name}' is no handle of a volume.", nameof(name));
        LogicVolumeMapping.Apply(value, item);
        try
        {
            return await _objects.CreateAsync(item, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception.IsConflict())
        {
            throw new RecordConflictException(name);
        }
    }

    private async Task<LogicVolume> ReplaceAsync(
        string name, VolumeRecord value, string etag, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var item = await FindAsync(name, cancellationToken).ConfigureAwait(false);
            if (item is null || ETagOf(item) != etag)
            {
                break;
            }

            if (item.Spec.Size.Bytes is { } size && value.TargetBytes > size && value.Bytes > 0)
            {
                item.Metadata.Annotations ??= new Dictionary<string, string>();
                item.Metadata.Annotations[CarinaApi.ResizeRequestedAt] = Timestamps.Format(time.GetUtcNow());
            }

            LogicVolumeMapping.Apply(value, item);
            try
            {
                return await _objects.ReplaceAsync(item, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception.IsConflict() || exception.IsNotFound())
            {
                // Somebody else's edit came first; whether it was one of spec shows at the next look.
            }
        }

        throw new RecordConflictException(name);
    }

    /// <summary>Marks the object deleted and lets go of it; false when somebody edited it meanwhile.</summary>
    private async Task<bool> TryDeleteAsync(LogicVolume item, CancellationToken cancellationToken)
    {
        try
        {
            // First the mark: a crash in between leaves the record whole.
            if (item.Metadata.DeletionTimestamp is null)
            {
                await _objects.DeleteAsync(item, cancellationToken).ConfigureAwait(false);
                var marked = await _objects.FindAsync(item.Metadata.Name, cancellationToken).ConfigureAwait(false);
                if (marked is null || marked.Metadata.Uid != item.Metadata.Uid)
                {
                    return true;
                }

                if (ETagOf(marked) != ETagOf(item))
                {
                    return false;
                }

                item = marked;
            }

            item.Metadata.Finalizers = [.. (item.Metadata.Finalizers ?? []).Where(f => f != CarinaApi.Finalizer)];
            await _objects.ReplaceAsync(item, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (Exception exception) when (exception.IsConflict())
        {
            return false;
        }
        catch (Exception exception) when (exception.IsNotFound())
        {
            return true;
        }
    }

    // An older definition drops fields that it does not know, and with them a part of the record.
    private static void RequireComplete(LogicVolume written)
    {
        if (!SpecChecksum.Fits(written.Spec))
        {
            throw new InvalidOperationException(
                $"LogicVolume '{written.Metadata.Name}' was not stored as it was written: the CustomResourceDefinition "
                + "logicvolumes.carina.storage.io in this cluster is older than this driver. Apply the one of the chart (crds/).");
        }
    }

    private async Task PublishAsync(LogicVolume item, VolumeRecord record)
    {
        // Not made yet, and nothing to take back: no status says that as well.
        if (item.Status is null && record.State == VolumeState.Creating)
        {
            return;
        }

        using var deadline = new CancellationTokenSource(_publishTimeout, time);
        var etag = ETagOf(item);
        try
        {
            // Until it is published, or a later write, which publishes itself, has come.
            for (LogicVolume? current = item; current is not null && ETagOf(current) == etag;)
            {
                if (!LogicVolumeStatusMapping.Apply(current, record, settlesFailure: true, time.GetUtcNow())
                    || await TryReplaceStatusAsync(current, deadline.Token).ConfigureAwait(false))
                {
                    return;
                }

                current = await _objects.FindAsync(item.Metadata.Name, deadline.Token).ConfigureAwait(false);
            }
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            // The next write, or the audit, says it again.
            LogNotPublished(item.Metadata.Name, exception.Describe());
        }
    }

    private async Task<bool> TryReplaceStatusAsync(LogicVolume item, CancellationToken cancellationToken)
    {
        try
        {
            await _objects.ReplaceStatusAsync(item, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (Exception exception) when (exception.IsConflict() || exception.IsNotFound())
        {
            return false;
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Status of LogicVolume {Name} could not be published ({Reason}); it is repaired later")]
    private partial void LogNotPublished(string name, string reason);

    [LoggerMessage(2, LogLevel.Warning, "LogicVolume {Name} is left out of a list: {Reason}")]
    private partial void LogLeftOut(string name, string reason);
}
