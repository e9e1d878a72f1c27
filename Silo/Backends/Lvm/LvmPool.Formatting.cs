using System.Collections.Concurrent;
using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Lvm;

namespace Carina.Silo.Backends.Lvm;

// Whether a file system was made on a volume is remembered in a tag: where none can be recognised any more, that tells
// damage from a volume that is new.
internal sealed partial class LvmPool
{
    private readonly ConcurrentDictionary<DiskVolumeKey, bool> _formatted = new();

    /// <inheritdoc cref="IFormatMemory.WasFormattedAsync"/>
    public async Task<bool> WasFormattedAsync(DiskVolumeKey key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_formatted.ContainsKey(key))
            return true;

        try
        {
            var present = await RequireOursAsync(key).ConfigureAwait(false);
            return present.Tags.Contains(LvmIdentity.FormattedTag) && (_formatted[key] = true);
        }
        catch (LvmException exception)
        {
            throw LvmFailure.Explain(exception, $"look up whether volume '{key.VolumeId}' in pool '{Name}' was formatted");
        }
    }

    /// <inheritdoc cref="IFormatMemory.RememberFormattedAsync"/>
    public async Task RememberFormattedAsync(DiskVolumeKey key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            var result = await AskAsync(Command(
                "lvchange",
                [
                    "--addtag", LvmIdentity.FormattedTag,
                    "--select", LvmSelection.All(LvmSelection.HasTags(LvmIdentity.TagsOf(key)), LvmSelection.Complete),
                ],
                [key.VolumeId])).ConfigureAwait(false);
            result.EnsureSuccess();
            if (!result.WasProcessed(key.VolumeId))
                await RequireFormattedAsync(key).ConfigureAwait(false);
        }
        catch (LvmException exception)
        {
            throw LvmFailure.Explain(exception, $"remember that volume '{key.VolumeId}' in pool '{Name}' is formatted");
        }

        _formatted[key] = true;
    }

    // A command that selected nothing succeeds, too: then the disk has no such volume, or it has the tag already.
    private async Task RequireFormattedAsync(DiskVolumeKey key)
    {
        var present = await RequireOursAsync(key).ConfigureAwait(false);
        if (!present.Tags.Contains(LvmIdentity.FormattedTag))
        {
            throw present.GroupMissesDisks ? DisksMissing() : new StorageException(
                StorageErrorCode.Internal,
                $"LVM did not tag volume '{key.VolumeId}' in volume group '{GroupName}' as formatted.");
        }
    }
}
