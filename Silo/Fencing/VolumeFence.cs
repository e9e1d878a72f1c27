using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Telemetry;
using Carina.Grains.Volumes;
using Carina.Silo.Backends;
using Carina.Silo.Linux;
using Carina.Silo.Mounting;
using Microsoft.Win32.SafeHandles;

namespace Carina.Silo.Fencing;

/// <summary>
/// <see cref="IVolumeFence"/> on Linux. First the volume is refused to whatever begins from now on, then its devices are
/// looked for: who brings up a device looks at the refusals afterwards, so one of the two sees the other.
/// </summary>
internal sealed partial class VolumeFence(
    IEnumerable<IPoolBackend> backends,
    FencedVolumes fenced,
    DeviceCut cut,
    FenceLift lift,
    ICommandsUnderWay commands,
    TimeProvider clock,
    ILogger<VolumeFence> logger) : IVolumeFence
{
    private const string AskDisks = "the disks to say what they have of it";

    // A file system with much to write fails at each page of it.
    private static readonly TimeSpan _noticeTime = TimeSpan.FromSeconds(1);

    private readonly IFenceableBackend[] _backends = [.. backends.OfType<IFenceableBackend>()];

    // Not the lock of staging and publishing, which a hanging mount may hold: only fence and lift exclude each other.
    private readonly KeyedLock _locks = new();

    public Task FenceAsync(DiskVolumeKey key, string reason, CancellationToken cancellationToken) =>
        RunAsync("fence", key, step => CutOffAsync(key, reason, step, cancellationToken), cancellationToken);

    public Task LiftAsync(DiskVolumeKey key, CancellationToken cancellationToken) =>
        RunAsync("lift the fence of", key, step => LetBackAsync(key, step, cancellationToken), cancellationToken);

    private async Task CutOffAsync(DiskVolumeKey key, string reason, Action<string> step, CancellationToken cancellationToken)
    {
        var started = clock.GetTimestamp();
        var before = fenced.Add(key, reason);

        // Those that begin from now on are refused.
        var running = commands.WhenNoneRuns(key.VolumeId);
        step(AskDisks);
        try
        {
            await IdentifyAsync(key, cancellationToken).ConfigureAwait(false);
        }
        catch (StorageException e) when (e.Code == StorageErrorCode.FailedPrecondition)
        {
            // It is another one. Nothing was done to it, and nothing is to be refused.
            fenced.Undo(key.VolumeId, before);
            throw;
        }
        catch
        {
            // Nobody knows what it is, so it stays refused, if it can be also after a restart.
            _ = SaveAnywayAsync(key.VolumeId);
            throw;
        }

        // Beside the cut, not before it: the state directory may lie on the very disk that does not answer.
        var saving = fenced.SaveAsync(cancellationToken);
        var devices = new List<string>();
        try
        {
            var wasIdle = running.IsCompleted;
            devices = await CutAllAsync(key, step, cancellationToken).ConfigureAwait(false);
            if (!wasIdle)
            {
                // It may have put a new table into the device, or made one.
                step("a command that works on it");
                await running.WaitAsync(cancellationToken).ConfigureAwait(false);
                devices = await CutAllAsync(key, step, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            step("the state directory's disk");
            await saving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await saving.ConfigureAwait(false);
        fenced.Confirm(key);
        LogFenced(
            logger, key.VolumeId, key.Generation, devices.Count > 0 ? string.Join(", ", devices) : "nothing had to be",
            clock.GetElapsedTime(started).TotalMilliseconds, reason);
    }

    private async Task SaveAnywayAsync(string volumeId)
    {
        try
        {
            await fenced.SaveAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (StorageException exception)
        {
            LogFailed(logger, "remember the fence of", volumeId, exception.Message);
        }
    }

    private async Task<List<string>> CutAllAsync(DiskVolumeKey key, Action<string> step, CancellationToken cancellationToken)
    {
        var paths = new List<string>();
        step(AskDisks);
        foreach (var (_, device) in await IdentifyAsync(key, cancellationToken).ConfigureAwait(false))
        {
            using var held = await HoldAsync(key, device, cancellationToken).ConfigureAwait(false);
            if (held is null)
                continue;

            await CutAsync(device, step, cancellationToken).ConfigureAwait(false);
            paths.Add(device.Path);
        }

        return paths;
    }

    /// <summary>
    /// Keeps the device open, so that the kernel does not give its number to another volume, and makes sure that it has
    /// not done so yet. Null when the volume has lost the device meanwhile.
    /// </summary>
    private async Task<SafeFileHandle?> HoldAsync(DiskVolumeKey key, VolumeDevice device, CancellationToken cancellationToken)
    {
        var (held, errno) = await OwnThread.RunAsync(() =>
        {
            var file = LinuxFile.TryOpen(null, device.Path, OpenFlags.NonBlocking, out var error);
            return (file, error);
        }).WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var found = await IdentifyAsync(key, cancellationToken).ConfigureAwait(false);
            var isThere = found.Any(one => (one.Device.Major, one.Device.Minor) == (device.Major, device.Minor));
            if (isThere && held is null)
                throw new StorageException(StorageErrorCode.Internal, LinuxError.From(errno, $"open {device.Path} of volume {key.VolumeId}").Message);

            var result = isThere ? held : null;
            held = isThere ? null : held;
            return result;
        }
        finally
        {
            held?.Dispose();
        }
    }

    private async Task CutAsync(VolumeDevice device, Action<string> step, CancellationToken cancellationToken)
    {
        var number = VolumeDevices.NumberOf(device);
        step($"what was sent to {device.Path} to end");
        await cut.CutAsync(device, cancellationToken).ConfigureAwait(false);

        // Nothing reaches the disk any more; what is left is that programs hear of it.
        foreach (var tell in new[] { FileSystemShutdown.LetItNotice, FileSystemShutdown.Stop })
        {
            var telling = OwnThread.RunAsync(() => tell(number));
            await Task.WhenAny(telling, Task.Delay(_noticeTime, clock, cancellationToken)).ConfigureAwait(false);
        }
    }

    private async Task LetBackAsync(DiskVolumeKey key, Action<string> step, CancellationToken cancellationToken)
    {
        if (fenced.Find(key.VolumeId) is not { } known)
            return;

        if (known.Generation != key.Generation)
        {
            throw new StorageException(
                StorageErrorCode.FailedPrecondition,
                $"Volume {key.VolumeId}: generation {known.Generation} is fenced on this node, not generation {key.Generation}; it stays so.");
        }

        step(AskDisks);
        foreach (var (backend, device) in await IdentifyAsync(key, cancellationToken).ConfigureAwait(false))
        {
            using var held = await HoldAsync(key, device, cancellationToken).ConfigureAwait(false);
            if (held is null)
                continue;

            step($"the mounts of {device.Path} to go away");
            await lift.ReleaseAsync(key, device, cancellationToken).ConfigureAwait(false);
            step($"{device.Path} to get its storage back");
            await backend.RestoreAsync(key, device, cancellationToken).WaitAsync(cancellationToken).ConfigureAwait(false);
            if (DeviceCut.IsCut(device))
                throw new StorageException(StorageErrorCode.Internal, $"{device.Path} of volume {key.VolumeId} did not get its storage back.");
        }

        fenced.Remove(key);
        step("the state directory's disk");
        await fenced.SaveAsync(cancellationToken).ConfigureAwait(false);
        LogLifted(logger, key.VolumeId, key.Generation, known.At);
    }

    private async Task<IReadOnlyList<(IFenceableBackend Backend, VolumeDevice Device)>> IdentifyAsync(
        DiskVolumeKey key, CancellationToken cancellationToken)
    {
        var found = new List<(IFenceableBackend, VolumeDevice)>();
        foreach (var backend in _backends)
        {
            var devices = await OwnThread.RunAsync(() => backend.IdentifyAsync(key, cancellationToken)).Unwrap()
                .WaitAsync(cancellationToken).ConfigureAwait(false);
            found.AddRange(devices.Select(device => (backend, device)));
        }

        return found;
    }

    private async Task RunAsync(string verb, DiskVolumeKey key, Func<Action<string>, Task> work, CancellationToken cancellationToken)
    {
        if (!VolumeIds.IsWellFormed(key.VolumeId))
            throw new StorageException(StorageErrorCode.InvalidArgument, $"'{key.VolumeId}' is not a volume's handle.");

        using var activity = CarinaTelemetry.StartVolumeSpan(verb.Split(' ')[0] + " volume", key.VolumeId);
        var waitsFor = "an earlier fence or lift of the same volume";
        try
        {
            using var held = await _locks.AcquireAsync(key.VolumeId, cancellationToken).ConfigureAwait(false);
            await work(step => waitsFor = step).ConfigureAwait(false);
        }
        catch (OperationCanceledException exception) when (cancellationToken.IsCancellationRequested)
        {
            LogNotInTime(logger, verb, key.VolumeId, waitsFor);
            throw new StorageException(
                StorageErrorCode.Unavailable,
                $"Could not {verb} volume {key.VolumeId} (generation {key.Generation}) in the time given: waited for {waitsFor}. "
                + "What was begun goes on; ask again.",
                exception);
        }
        catch (StorageException exception)
        {
            LogFailed(logger, verb, key.VolumeId, exception.Message);
            throw;
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Volume {VolumeId}, generation {Generation}, is fenced: {Devices} cut off in {Milliseconds} ms ({Reason})")]
    private static partial void LogFenced(
        ILogger logger, string volumeId, long generation, string devices, double milliseconds, string reason);

    [LoggerMessage(2, LogLevel.Warning, "Volume {VolumeId}, generation {Generation}, may be used here again; it was fenced since {Since}")]
    private static partial void LogLifted(ILogger logger, string volumeId, long generation, DateTimeOffset since);

    [LoggerMessage(3, LogLevel.Error, "Could not {Verb} volume {VolumeId} in the time given; waited for {What}")]
    private static partial void LogNotInTime(ILogger logger, string verb, string volumeId, string what);

    [LoggerMessage(4, LogLevel.Error, "Could not {Verb} volume {VolumeId}: {Reason}")]
    private static partial void LogFailed(ILogger logger, string verb, string volumeId, string reason);
}
