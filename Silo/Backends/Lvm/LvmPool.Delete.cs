using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Lvm;

namespace Carina.Silo.Backends.Lvm;

// Deletion: LVM itself compares tags and generation, under its lock and in the command that removes.
internal sealed partial class LvmPool
{
    // udev's programs have a device open for a moment after it was written to.
    private const int OpenRetries = 4;

    private async Task DeleteAsync(List<Work> work, CancellationToken stop)
    {
        foreach (var one in work)
            await GuardAsync([one], () => Begin(one), stop).ConfigureAwait(false);

        for (var attempt = 0; ; attempt++)
        {
            var open = work.Where(w => w.Outcome is null).ToList();
            if (open.Count == 0)
                return;

            // LVM gives up a whole command, silently undoing what it has said of the others, when one volume cannot be
            // removed. So the second time each is on its own.
            var isLast = attempt >= OpenRetries;
            foreach (var step in open.Chunk(attempt == 0 ? MaxTogether : 1))
                await GuardAsync(step, () => RemoveAsync(step, isLast), CancellationToken.None).ConfigureAwait(false);

            if (attempt > 0 && work.Exists(w => w.Outcome is null))
                await Task.Delay(_openRetryDelay, _clock, CancellationToken.None).ConfigureAwait(false);
        }

        Task Begin(Work one)
        {
            _crash.Reached("lvm.delete.before", one.Id);
            return Task.CompletedTask;
        }
    }

    /// <summary>Removes volumes; those that could not be removed for a reason that may pass are left open.</summary>
    private async Task RemoveAsync(Work[] work, bool isLast)
    {
        var result = await AskAsync(RemovalOf([.. work.Select(w => (w.Command.Key, false))])).ConfigureAwait(false);
        var removed = result.Succeeded ? work.Where(w => result.WasProcessed(w.Id)).ToList() : [];
        var absent = work.Where(w => result.ComplaintAbout(w.Id) == LvmErrorKind.NotFound);
        foreach (var one in removed.Concat(absent))
            Gone(one);

        var rest = work.Where(w => w.Outcome is null).ToList();
        if (rest.Count == 0)
            return;

        var found = await LookAsync(rest.ConvertAll(w => w.Id)).ConfigureAwait(false);
        foreach (var one in rest)
        {
            if (found.TryGetValue(one.Id, out var volume))
                await GuardAsync([one], () => JudgeAsync(one, volume, result, isLast), CancellationToken.None).ConfigureAwait(false);
            else
                Gone(one);
        }
    }

    /// <summary>Says why a volume is still there, or leaves it for another attempt.</summary>
    private async Task JudgeAsync(Work work, LvReport found, LvmResult result, bool isLast)
    {
        var identity = LvmIdentity.Of(found)
            ?? throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"the logical volume of that name in volume group '{GroupName}' does not bear Carina's tags; it is left alone.");
        var generation = work.Command.Key.Generation;
        if (identity.Generation > generation)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition, $"the disk has the newer generation {identity.Generation}, which is left alone.");
        }

        if (identity.Generation < generation)
        {
            LogOlderCopy(_logger, Name, work.Id, generation, identity.Generation);
            Gone(work);
            return;
        }

        if (found.GroupMissesDisks && (isLast || !await FindDisksAsync().ConfigureAwait(false)))
            throw DisksMissing();

        if (!isLast)
            return;

        throw found.Attributes.Open == LvOpen.Open
            ? new StorageException(
                StorageErrorCode.FailedPrecondition, "its device is in use. Unmount it, or end what has it open, first.")
            : result.ToException();
    }

    private void Gone(Work work)
    {
        _known.TryRemove(work.Id, out _);
        work.Outcome = new PoolCommandOutcome(null, null);
        _crash.Reached("lvm.delete.after", work.Id);
    }

    /// <summary>Removes volumes if they are exactly these, nobody has them open, and no disk is missing.</summary>
    private LvmCommand RemovalOf(IReadOnlyList<(DiskVolumeKey Key, bool Unfinished)> volumes) => Command(
        "lvremove",
        [
            "--force", "--select",
            LvmSelection.All(
                LvmSelection.Complete,
                LvmSelection.NotOpen,
                LvmSelection.Any(volumes.Select(v => LvmSelection.All(
                    LvmSelection.IsNamed(v.Key.VolumeId),
                    LvmSelection.HasTags(v.Unfinished ? [.. LvmIdentity.TagsOf(v.Key), LvmIdentity.UnfinishedTag] : LvmIdentity.TagsOf(v.Key)))))),
        ],
        [.. volumes.Select(v => v.Key.VolumeId)]);
}
