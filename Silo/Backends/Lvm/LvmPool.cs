using System.Collections.Concurrent;
using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Volumes;
using Carina.Silo.Lvm;

namespace Carina.Silo.Backends.Lvm;

/// <summary>
/// One volume group and the session that works on it. The session sees the group's disks only, which makes its commands
/// fast; when the group turns out to have others, they are found out and the command is repeated.
/// </summary>
internal sealed partial class LvmPool : IAsyncDisposable
{
    // Volumes in one command: the lvm shell takes a limited number of words (LvmCommand.MaxArguments).
    private const int MaxTogether = 16;

    private static readonly TimeSpan _openRetryDelay = TimeSpan.FromMilliseconds(200);

    private readonly LvmSession _session;
    private readonly LvmOptions _options;
    private readonly Func<string, CancellationToken, Task<IReadOnlyList<string>>> _findDisks;
    private readonly ICrashPoints _crash;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;

    // What the disk had when it was last looked at or changed. A hint: whatever is destructive asks LVM again.
    private readonly ConcurrentDictionary<string, DiskVolume> _known = new(StringComparer.Ordinal);
    private VgReport _group;

    /// <param name="name">Name of the pool.</param>
    /// <param name="group">Its volume group.</param>
    /// <param name="disks">Paths of the group's disks.</param>
    /// <param name="findDisks">Finds the paths of the disks of a group, by its uuid, afresh.</param>
    public LvmPool(
        string name,
        VgReport group,
        IEnumerable<string> disks,
        LvmSession session,
        LvmOptions options,
        Func<string, CancellationToken, Task<IReadOnlyList<string>>> findDisks,
        ICrashPoints crash,
        TimeProvider clock,
        ILogger<LvmPool> logger)
    {
        (Name, _group, _session, _options) = (name, group, session, options);
        (_findDisks, _crash, _clock, _logger) = (findDisks, crash, clock, logger);
        session.Configuration.SetDevices(disks);
    }

    public string Name { get; }

    /// <summary>Name of the volume group.</summary>
    public string GroupName => _group.Name;

    public string GroupUuid => _group.Uuid;

    /// <summary>The session's process; null at rest.</summary>
    public int? ProcessId => _session.ProcessId;

    /// <summary>Held while the pool is changed.</summary>
    public SemaphoreSlim Gate { get; } = new(1, 1);

    /// <summary>A logical volume as callers see it; null when it is not ours.</summary>
    public DiskVolume? Describe(LvReport volume) => LvmIdentity.Of(volume) is not { } identity
        ? null
        : Describe(new DiskVolumeKey(identity.VolumeId, Name, identity.Generation), volume.SizeBytes) with
        {
            Problem = identity.IsUnfinished ? "Its creation was interrupted and will be finished when it is asked for again."
                : volume.Attributes.Health == LvHealth.Partial ? "Disks that it lies on are missing."
                : volume.Attributes.State == LvState.Suspended ? "I/O to it is held back (suspended)."
                : "",
        };

    /// <summary>A logical volume that may be Carina's of old, as the first generation it would be.</summary>
    public DiskVolume DescribeUnclaimed(LvReport volume) =>
        Describe(new DiskVolumeKey(volume.Name, Name, LegacyGeneration), volume.SizeBytes);

    /// <summary>Takes in what a scan found.</summary>
    public void Update(
        VgReport group, IEnumerable<string> disks, IReadOnlyList<DiskVolume> volumes, IReadOnlyList<LvReport> logical)
    {
        NoteThinPools(logical);
        _group = group;
        _session.Configuration.SetDevices(disks);
        foreach (var gone in _known.Keys.Except(volumes.Select(v => v.Key.VolumeId), StringComparer.Ordinal))
            _known.TryRemove(gone, out _);

        foreach (var volume in volumes)
            _known[volume.Key.VolumeId] = volume;
    }

    /// <summary>
    /// Does commands, in the order that is fastest: what is deleted makes room for what is made. When
    /// <paramref name="stop"/> is cancelled, commands that have not begun are refused and those that have are finished.
    /// </summary>
    public async Task<IReadOnlyList<PoolCommandOutcome>> ExecuteAsync(IReadOnlyList<PoolCommand> commands, CancellationToken stop)
    {
        var work = commands.Select(command => new Work(command)).ToList();
        await Gate.WaitAsync(stop).ConfigureAwait(false);
        try
        {
            var deletions = work.Where(w => w.Command.Kind == PoolCommandKind.Delete).ToList();
            await DeleteAsync(deletions, stop).ConfigureAwait(false);
            foreach (var deleted in deletions.Where(w => w.Outcome is { Error: null } && _thinPools.ContainsKey(w.Id)))
                await RemoveThinPoolAsync(deleted).ConfigureAwait(false);
            await CreateAsync([.. work.Where(w => w.Command.Kind == PoolCommandKind.Create)], stop).ConfigureAwait(false);
            foreach (var adoption in work.Where(w => w.Command.Kind == PoolCommandKind.Adopt))
                await GuardAsync([adoption], () => AdoptAsync(adoption), stop).ConfigureAwait(false);
            foreach (var renaming in work.Where(w => w.Command.Kind == PoolCommandKind.Rename))
                await GuardAsync([renaming], () => RenameAsync(renaming), stop).ConfigureAwait(false);
            foreach (var expansion in work.Where(w => w.Command.Kind == PoolCommandKind.Expand))
                await GuardAsync([expansion], () => ExpandAsync(expansion), stop).ConfigureAwait(false);
        }
        finally
        {
            Gate.Release();
        }

        return [.. work.Select(w => w.Outcome ?? throw new InvalidOperationException($"{w} was not settled."))];
    }

    /// <summary>Looks for the group's disks; whether there are others than the session knew.</summary>
    public async Task<bool> FindDisksAsync()
    {
        var disks = await _findDisks(GroupUuid, CancellationToken.None).ConfigureAwait(false);
        return disks.Count > 0 && _session.Configuration.SetDevices(disks);
    }

    public async ValueTask DisposeAsync()
    {
        await _session.DisposeAsync().ConfigureAwait(false);
        _session.Configuration.Remove();
    }

    /// <summary>What the disk has of these volumes; those that are not there are left out.</summary>
    private async Task<Dictionary<string, LvReport>> LookAsync(params IReadOnlyList<string> volumeIds)
    {
        var result = await AskAsync(Command("lvs", LvmReport.VolumeOptions, volumeIds)).ConfigureAwait(false);
        var found = result.Report.Volumes.ToDictionary(v => v.Name, StringComparer.Ordinal);

        // What was neither found nor said to be absent is not known.
        if (!result.Succeeded
            && volumeIds.Any(id => !found.ContainsKey(id) && result.ComplaintAbout(id) != LvmErrorKind.NotFound))
        {
            throw result.ToException();
        }

        return found;
    }

    private LvmCommand Command(string name, IEnumerable<string> options, IReadOnlyList<string> volumeIds) =>
        new(name, [.. options, .. volumeIds.Select(PathOf)]) { VolumeIds = volumeIds };

    /// <summary>
    /// Runs a command. One whose process died is repeated, as all that are sent from here may be; so is one that missed
    /// disks, once they have been looked for.
    /// </summary>
    private async Task<LvmResult> AskAsync(LvmCommand command)
    {
        LvmResult result;
        try
        {
            result = await _session.RunAsync(command, CancellationToken.None).ConfigureAwait(false);
        }
        catch (LvmException exception) when (exception.Kind == LvmErrorKind.ProcessEnded)
        {
            LogRepeating(_logger, Name, command.Line, exception.Message);
            result = await _session.RunAsync(command, CancellationToken.None).ConfigureAwait(false);
        }

        return !result.Succeeded
            && result.ToException().Kind is LvmErrorKind.MissingDevices or LvmErrorKind.GroupNotFound
            && await FindDisksAsync().ConfigureAwait(false)
            ? await _session.RunAsync(command, CancellationToken.None).ConfigureAwait(false)
            : result;
    }

    /// <summary>Runs one step of several commands; a failure settles those that are not settled yet.</summary>
    private static async Task GuardAsync(IReadOnlyList<Work> work, Func<Task> step, CancellationToken stop)
    {
        try
        {
            if (stop.IsCancellationRequested)
            {
                throw new StorageException(
                    StorageErrorCode.Unavailable, "The agent stops; the volume was not touched. Try again.");
            }

            await step().ConfigureAwait(false);
        }
        catch (LvmException exception)
        {
            foreach (var open in work.Where(w => w.Outcome is null))
                open.Fail(LvmFailure.Explain(exception, open.ToString()));
        }
        catch (StorageException exception)
        {
            foreach (var open in work.Where(w => w.Outcome is null))
                open.Fail(new StorageException(exception.Code, $"Cannot {open}: {exception.Message}", exception));
        }
    }

    private void Succeed(Work work, long bytes)
    {
        var volume = Describe(work.Command.Key, bytes);
        _known[work.Id] = volume;
        work.Outcome = new PoolCommandOutcome(volume, null);
    }

    private string PathOf(string volumeId) => $"{GroupName}/{volumeId}";

    private long RoundUp(long bytes) => (bytes + _group.ExtentBytes - 1) / _group.ExtentBytes * _group.ExtentBytes;

    private DiskVolume Describe(DiskVolumeKey key, long bytes) => new()
    {
        Key = key,
        Bytes = bytes,
        DevicePath = $"/dev/{GroupName}/{key.VolumeId}",
    };

    /// <summary>One command on its way.</summary>
    private sealed class Work(PoolCommand command)
    {
        public PoolCommand Command { get; } = command;

        public string Id => Command.Key.VolumeId;

        public PoolCommandOutcome? Outcome { get; set; }

        public void Fail(StorageException error) => Outcome = new PoolCommandOutcome(null, error);

        public override string ToString() =>
            $"{Command.Kind.ToString().ToLowerInvariant()} volume '{Id}' (generation {Command.Key.Generation}"
            + (Command.Bytes > 0 ? $", {Command.Bytes} bytes" : "") + $") in pool '{Command.Key.Pool}'";
    }
}
