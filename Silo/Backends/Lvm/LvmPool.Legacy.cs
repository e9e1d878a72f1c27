using System.Collections.Concurrent;
using System.Globalization;
using Carina.Grains.Errors;
using Carina.Silo.Lvm;

namespace Carina.Silo.Backends.Lvm;

// Volumes that Carina made: without tags (up to 0.14), and in a thin pool each (up to 0.10). They are tagged before
// anything else is done to them, the thin pool first: a volume that bears our tags is wholly ours.
internal sealed partial class LvmPool
{
    /// <summary>The generation of whatever was made when there were none.</summary>
    private const long LegacyGeneration = 1;

    // Thin pools that are ours, by their volumes; new volumes have none.
    private readonly ConcurrentDictionary<string, string> _thinPools = new(StringComparer.Ordinal);

    private void NoteThinPools(IReadOnlyList<LvReport> logical)
    {
        var found = logical
            .Select(l => (Pool: l.Name, Volume: LvmIdentity.VolumeOfThinPool(l)))
            .Where(p => p.Volume is not null)
            .ToDictionary(p => p.Volume!, p => p.Pool, StringComparer.Ordinal);
        foreach (var gone in _thinPools.Keys.Except(found.Keys, StringComparer.Ordinal))
            _thinPools.TryRemove(gone, out _);

        foreach (var (volume, pool) in found)
            _thinPools[volume] = pool;
    }

    private async Task AdoptAsync(Work work)
    {
        var key = work.Command.Key;
        var found = (await LookAsync(work.Id).ConfigureAwait(false)).GetValueOrDefault(work.Id)
            ?? throw new StorageException(
                StorageErrorCode.NotFound, $"volume group '{GroupName}' has no logical volume of that name.");
        if (LvmIdentity.Of(found) is { } identity)
        {
            if (identity.Generation != key.Generation)
            {
                throw new StorageException(
                    StorageErrorCode.FailedPrecondition, $"the disk has generation {identity.Generation} of it.");
            }

            Succeed(work, found.SizeBytes);
            return;
        }

        if (key.Generation != LegacyGeneration || !LvmIdentity.MayBeLegacy(found))
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"the logical volume of that name in volume group '{GroupName}' is not one that Carina made; it is left alone.");
        }

        if (found.ThinPool.Length > 0)
        {
            await TagAsync([LvmIdentity.OwnerTag, LvmIdentity.ThinPoolTag + work.Id], found.ThinPool).ConfigureAwait(false);
            _thinPools[work.Id] = found.ThinPool;
            _crash.Reached("lvm.adopt.pool-tagged", work.Id);
        }

        await TagAsync(LvmIdentity.TagsOf(key), work.Id).ConfigureAwait(false);
        Succeed(work, found.SizeBytes);
        LogAdopted(_logger, Name, work.Id, found.ThinPool.Length > 0 ? $"thin, in {found.ThinPool}" : "linear");
    }

    private async Task TagAsync(IEnumerable<string> tags, string volume)
    {
        var result = await AskAsync(Command(
            "lvchange",
            [.. tags.SelectMany(tag => new[] { "--addtag", tag }), "--select", LvmSelection.Complete],
            [volume])).ConfigureAwait(false);
        if (!result.EnsureSuccess().WasProcessed(volume))
            throw DisksMissing();
    }

    /// <summary>Makes a thin pool at least as large as its one volume is to be, so that the volume's bytes are there.</summary>
    private async Task ExtendThinPoolAsync(string thinPool, long bytes)
    {
        var result = await AskAsync(Command(
            "lvextend", ["--size", string.Create(CultureInfo.InvariantCulture, $"{bytes}b")], [thinPool])).ConfigureAwait(false);
        if (!result.Succeeded && result.ToException() is { Kind: not LvmErrorKind.NotLarger } exception)
            throw exception;
    }

    /// <summary>Removes the thin pool of a volume that is gone; when that fails, the deletion is to be repeated.</summary>
    private async Task RemoveThinPoolAsync(Work work)
    {
        var thinPool = _thinPools[work.Id];
        work.Outcome = null;
        await GuardAsync(
            [work],
            async () =>
            {
                var result = await AskAsync(Command(
                    "lvremove",
                    [
                        "--force", "--select",
                        LvmSelection.All(
                            LvmSelection.Complete,
                            LvmSelection.NoThinVolumes,
                            LvmSelection.HasTags(LvmIdentity.OwnerTag, LvmIdentity.ThinPoolTag + work.Id)),
                    ],
                    [thinPool])).ConfigureAwait(false);
                var isGone = result.Succeeded
                    ? result.WasProcessed(thinPool)
                    : result.ComplaintAbout(thinPool) == LvmErrorKind.NotFound;
                if (!isGone)
                {
                    throw result.Succeeded
                        ? new StorageException(
                            StorageErrorCode.FailedPrecondition, $"its thin pool '{thinPool}' holds other volumes, or disks are missing.")
                        : result.ToException();
                }

                _thinPools.TryRemove(work.Id, out _);
                work.Outcome = new PoolCommandOutcome(null, null);
            },
            CancellationToken.None).ConfigureAwait(false);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Pool {Pool}: volume {VolumeId} ({Kind}) was made by Carina up to 0.14 and bears our tags from now on")]
    private static partial void LogAdopted(ILogger logger, string pool, string volumeId, string kind);
}
