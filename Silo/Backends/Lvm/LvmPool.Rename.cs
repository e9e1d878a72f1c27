using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Lvm;

namespace Carina.Silo.Backends.Lvm;

// Another handle for a logical volume: first its name, then its tags. In between its tags do not fit its name, so it is
// nobody's; a repetition finds it by both.
internal sealed partial class LvmPool
{
    private async Task RenameAsync(Work work)
    {
        var (from, to) = (work.Command.Key, work.Command.NewKey!);
        var found = await LookAsync(from.VolumeId, to.VolumeId).ConfigureAwait(false);
        var (old, renamed) = (found.GetValueOrDefault(from.VolumeId), found.GetValueOrDefault(to.VolumeId));

        // Another generation may have the old handle by now.
        var isDone = renamed is not null && LvmIdentity.Of(renamed)?.Generation == to.Generation
            && (old is null || LvmIdentity.Of(old)?.Generation != from.Generation);
        if (old is not null && !isDone)
        {
            await RequireOursAsync(from).ConfigureAwait(false);
            if (renamed is not null)
            {
                throw new StorageException(
                    StorageErrorCode.FailedPrecondition,
                    $"volume group '{GroupName}' has another logical volume '{to.VolumeId}' already; both are left alone.");
            }

            if (_thinPools.ContainsKey(from.VolumeId))
            {
                throw new StorageException(
                    StorageErrorCode.FailedPrecondition, "it lies in a thin pool that Carina up to 0.10 made for it, and keeps its name.");
            }

            await CloseAsync(from.VolumeId, CancellationToken.None).ConfigureAwait(false);
            _crash.Reached("lvm.rename.closed", from.VolumeId);
            (await AskAsync(new LvmCommand("lvrename", GroupName, from.VolumeId, to.VolumeId) { VolumeIds = [from.VolumeId] })
                .ConfigureAwait(false)).EnsureSuccess();
            _crash.Reached("lvm.rename.named", from.VolumeId);
            renamed = (await LookAsync(to.VolumeId).ConfigureAwait(false)).GetValueOrDefault(to.VolumeId);
        }

        if (renamed is null)
            throw new StorageException(StorageErrorCode.NotFound, $"volume group '{GroupName}' has no logical volume of that name.");

        if (!isDone)
        {
            if (LvmIdentity.Of(renamed) is { } identity)
            {
                throw new StorageException(
                    StorageErrorCode.FailedPrecondition, $"the disk has generation {identity.Generation} of '{to.VolumeId}' already.");
            }

            await RetagAsync(from, to, renamed).ConfigureAwait(false);
            _crash.Reached("lvm.rename.after", from.VolumeId);
            LogRenamed(_logger, Name, from.VolumeId, from.Generation, to.VolumeId, to.Generation);
        }

        // Another generation may have that handle meanwhile.
        if (_known.TryGetValue(from.VolumeId, out var known) && known.Key == from)
            _known.TryRemove(from.VolumeId, out _);

        var volume = Describe(to, renamed.SizeBytes);
        _known[to.VolumeId] = volume;
        work.Outcome = new PoolCommandOutcome(volume, null);
    }

    /// <summary>One metadata commit makes it the other volume.</summary>
    private async Task RetagAsync(DiskVolumeKey from, DiskVolumeKey to, LvReport renamed)
    {
        var (old, now) = (LvmIdentity.TagsOf(from), LvmIdentity.TagsOf(to));
        if (!old.All(renamed.Tags.Contains))
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"the logical volume '{to.VolumeId}' in volume group '{GroupName}' is not what became of '{from.VolumeId}'; it is left alone.");
        }

        var result = await AskAsync(Command(
            "lvchange",
            [
                .. old.Except(now).SelectMany(tag => new[] { "--deltag", tag }),
                .. now.Except(old).SelectMany(tag => new[] { "--addtag", tag }),
                "--select", LvmSelection.All(LvmSelection.Complete, LvmSelection.HasTags(old)),
            ],
            [to.VolumeId])).ConfigureAwait(false);
        if (!result.EnsureSuccess().WasProcessed(to.VolumeId))
            throw DisksMissing();
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Pool {Pool}: volume {From} (generation {FromGeneration}) is kept as {To} (generation {ToGeneration}) from now on")]
    private static partial void LogRenamed(
        ILogger logger, string pool, string from, long fromGeneration, string to, long toGeneration);
}
