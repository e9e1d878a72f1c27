using System.Globalization;
using Carina.Grains.Errors;
using Carina.Silo.Lvm;

namespace Carina.Silo.Backends.Lvm;

// Creation: a volume exists with all its tags or not at all; until both of its ends are zeroed it is tagged as
// unfinished, is handed out to nobody, and a repeated creation makes it anew.
internal sealed partial class LvmPool
{
    private async Task CreateAsync(List<Work> work, CancellationToken stop)
    {
        foreach (var one in work)
            await GuardAsync([one], () => MakeAsync(one), stop).ConfigureAwait(false);

        var made = work.Where(w => w.Outcome is null).ToList();
        await Task.WhenAll(made.Select(one =>
            GuardAsync([one], () => Task.Run(() => Erase(one)), CancellationToken.None))).ConfigureAwait(false);
        foreach (var erased in made.Where(w => w.Outcome is null).Chunk(MaxTogether))
            await GuardAsync(erased, () => FinishAsync(erased), CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>Makes the volume, unfinished; leaves the command open, or settles it with a volume that is there.</summary>
    private async Task MakeAsync(Work work)
    {
        var key = work.Command.Key;
        var bytes = RoundUp(work.Command.Bytes);
        _crash.Reached("lvm.create.before", work.Id);
        for (var attempt = 0; ; attempt++)
        {
            var result = await AskAsync(new LvmCommand(
                "lvcreate",
                [
                    "--yes", "--type", "linear", "--zero", "y", "--wipesignatures", _options.WipeBeforeUdev ? "y" : "n",
                    "--size", string.Create(CultureInfo.InvariantCulture, $"{bytes}b"),
                    .. LvmIdentity.TagsOf(key).Append(LvmIdentity.UnfinishedTag).SelectMany(tag => new[] { "--addtag", tag }),
                    "--name", work.Id, GroupName,
                ])
            { VolumeIds = [work.Id] }).ConfigureAwait(false);
            if (result.Succeeded)
            {
                _crash.Reached("lvm.create.made", work.Id);
                return;
            }

            var exception = result.ToException();
            if (exception.Kind != LvmErrorKind.AlreadyExists || attempt > 1)
                throw exception;

            if (await SettleExistingAsync(work, bytes).ConfigureAwait(false))
                return;
        }
    }

    /// <summary>Accepts the volume that is there, removes it if it is an unfinished one of ours, or throws.</summary>
    /// <returns>Whether the command is settled.</returns>
    private async Task<bool> SettleExistingAsync(Work work, long bytes)
    {
        var key = work.Command.Key;
        var found = (await LookAsync(work.Id).ConfigureAwait(false)).GetValueOrDefault(work.Id);
        if (found is null)
            return false;

        var identity = LvmIdentity.Of(found)
            ?? throw new StorageException(
                StorageErrorCode.AlreadyExists,
                $"volume group '{GroupName}' has a logical volume of that name which is not Carina's; it is left alone. Rename one of the two.");
        if (identity.Generation > key.Generation)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition, $"the disk has generation {identity.Generation} of it already.");
        }

        if (identity.IsUnfinished)
        {
            LogRemaking(_logger, Name, work.Id);
            var removal = await AskAsync(RemovalOf([(key with { Generation = identity.Generation }, true)])).ConfigureAwait(false);
            return !removal.EnsureSuccess().WasProcessed(work.Id)
                ? throw (found.GroupMissesDisks ? DisksMissing() : new StorageException(
                    StorageErrorCode.FailedPrecondition, "an interrupted creation left it unfinished, and its device is in use."))
                : false;
        }

        if (identity.Generation < key.Generation)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"the disk still has generation {identity.Generation} of it, which must be deleted or moved away first.");
        }

        if (found.SizeBytes != bytes)
        {
            throw new StorageException(
                StorageErrorCode.AlreadyExists, $"it is there already, but with {found.SizeBytes} bytes instead of {bytes}.");
        }

        Succeed(work, found.SizeBytes);
        return true;
    }

    private void Erase(Work work)
    {
        var device = DeviceMapper.Find(GroupName, GroupUuid, work.Id)
            ?? throw new StorageException(
                StorageErrorCode.Internal,
                "LVM made the volume, but its device did not appear. Does this process share /dev and /sys with the kernel's host?");
        SignatureEraser.Erase(device);
        _crash.Reached("lvm.create.erased", work.Id);
    }

    private async Task FinishAsync(Work[] work)
    {
        var ids = Array.ConvertAll(work, w => w.Id);
        var result = await AskAsync(Command(
            "lvchange", ["--deltag", LvmIdentity.UnfinishedTag, "--select", LvmSelection.Complete], ids)).ConfigureAwait(false);
        var found = result.Succeeded && Array.TrueForAll(ids, result.WasProcessed)
            ? null
            : await LookAsync(ids).ConfigureAwait(false);
        foreach (var one in work)
        {
            if (found is null || (found.GetValueOrDefault(one.Id) is { } volume && LvmIdentity.Of(volume) is { IsUnfinished: false }))
            {
                Succeed(one, RoundUp(one.Command.Bytes));
                _crash.Reached("lvm.create.after", one.Id);
            }
        }

        if (Array.Exists(work, w => w.Outcome is null))
            throw found!.Values.Any(v => v.GroupMissesDisks) ? DisksMissing() : result.ToException();
    }

    private StorageException DisksMissing() => new(
        StorageErrorCode.FailedPrecondition,
        $"disks of volume group '{GroupName}' are missing; bring them back. Nothing is removed from the volume group by itself.");
}
