using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Fencing.Leases;
using Microsoft.Extensions.Options;

namespace Carina.Silo.Fencing.Guard;

/// <summary>
/// Keeps the silo's word when the silo does not: it hangs, is stopped, or has died. Knows only files and the kernel.
/// </summary>
internal sealed partial class FenceGuard(
    DeadlineFile file,
    GuardedFile guarded,
    IVolumeFence fence,
    ICutCheck check,
    ILeaseClock clock,
    IWatchdog watchdog,
    GuardBeat beat,
    IOptions<GuardOptions> options,
    TimeProvider time,
    ILogger<FenceGuard> logger) : BackgroundService
{
    private const string Reason =
        "the driver on this node stopped renewing the node's lease, so that others may take the volume over; cut off by the guard process";

    // Of the deadline that is seen to now: what there is nothing to be cut off of.
    private readonly HashSet<DiskVolumeKey> _absent = [];
    private LeaseDeadline? _deadline;
    private HashSet<DiskVolumeKey> _keys = [];
    private bool _isDone = true;
    private bool _hasTold;
    private string _problem = "";

    private GuardOptions Options => options.Value;

    /// <summary>Something is promised that is not seen to yet.</summary>
    internal bool IsNeeded => IsPromised && !_isDone;

    // A deadline of an earlier boot is one of another clock, and what was written to then is written to no more.
    private bool IsPromised => _deadline is { Guarded: true } && _deadline.BootId == file.BootId && _keys.Count > 0;

    /// <summary>Looks once, and does what has to be done.</summary>
    /// <returns>Time until the next look.</returns>
    internal async Task<TimeSpan> LookAsync()
    {
        Read();
        var pause = await ActAsync().ConfigureAwait(false);

        // Who does not know what is promised keeps no word.
        if (_problem.Length == 0)
            await beat.BeatAsync().ConfigureAwait(false);

        return pause;
    }

    private async Task<TimeSpan> ActAsync()
    {
        if (!IsPromised)
        {
            (_isDone, _hasTold) = (true, false);
            watchdog.Pet();
            return Options.Watch;
        }

        var left = _deadline!.Time + Options.Grace - clock.Elapsed;
        if (left > TimeSpan.Zero)
        {
            (_isDone, _hasTold) = (false, false);
            watchdog.Pet();
            return left < Options.Watch ? left : Options.Watch;
        }

        // Not once and for all: a command that the silo had begun may bring a device back to life.
        using var limit = new CancellationTokenSource(Options.FenceLimit, time);
        var done = await Task.WhenAll(_keys.Except(_absent).ToList().Select(key => SeeToAsync(key, limit.Token))).ConfigureAwait(false);
        _isDone = done.All(one => one);
        if (_isDone)
            watchdog.Pet();
        else
            LogFailed(_deadline.Holder);

        return Options.RetryInterval;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        LogStarted();

        // The kubelet ends all containers of a pod at the same time. Until the silo has taken its promise back, somebody
        // has to be here to keep it.
        while (!stoppingToken.IsCancellationRequested || IsNeeded)
        {
            var pause = Options.RetryInterval;
            try
            {
                pause = await LookAsync().ConfigureAwait(false);
            }
            catch (Exception exception)
            {
                LogBroken(exception);
            }

            await Task.Delay(pause, time, IsNeeded ? CancellationToken.None : stoppingToken)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        watchdog.Disarm();
    }

    private void Read()
    {
        var problem = "";
        try
        {
            var found = file.Read();
            if (found != _deadline)
            {
                _absent.Clear();
                _deadline = found;
            }
        }
        catch (IOException exception)
        {
            // What was said last holds.
            problem = exception.Message;
        }

        var keys = guarded.Read(out var damage);
        problem = damage.Length > 0 ? damage : problem;
        if (!_keys.SetEquals(keys))
        {
            _keys = [.. keys];
            _ = WarmUpAsync([.. keys]);
        }

        if (problem.Length > 0 && problem != _problem)
            LogUnreadable(problem);

        _problem = problem;
    }

    /// <summary>Whose a logical volume is has to be asked once, of a program; when it matters there is no time for that.</summary>
    private async Task WarmUpAsync(List<DiskVolumeKey> keys)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1), time);
        foreach (var key in keys)
            await ((Task)check.IsCutAsync(key, limit.Token)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>True when nothing of the volume is written here any more.</summary>
    private async Task<bool> SeeToAsync(DiskVolumeKey key, CancellationToken limit)
    {
        try
        {
            if (await check.IsCutAsync(key, limit).ConfigureAwait(false))
                return true;

            if (!_hasTold)
            {
                _hasTold = true;
                LogFences(_keys.Count, _deadline!.Holder);
            }

            await fence.FenceAsync(key, Reason, limit).ConfigureAwait(false);
        }
        catch (StorageException exception) when (exception.Code is StorageErrorCode.FailedPrecondition or StorageErrorCode.InvalidArgument)
        {
            // The disk has another generation: there is nothing to be cut off.
            lock (_absent)
                _absent.Add(key);
        }
        catch (Exception exception) when (exception is StorageException or OperationCanceledException)
        {
            // Said by the fence already.
            return false;
        }

        return true;
    }

    [LoggerMessage(1, LogLevel.Information, "Watches whether this node's lease is renewed")]
    private partial void LogStarted();

    [LoggerMessage(2, LogLevel.Error, "Silo {Holder} let the deadline of this node's lease pass; cuts this node off from up to {Count} volumes in its place")]
    private partial void LogFences(int count, string holder);

    [LoggerMessage(3, LogLevel.Error, "Not all volumes that silo {Holder} guarded could be cut off; tries on")]
    private partial void LogFailed(string holder);

    [LoggerMessage(4, LogLevel.Error, "What the silo promised cannot be read; what was known before holds: {Reason}")]
    private partial void LogUnreadable(string reason);

    [LoggerMessage(5, LogLevel.Error, "The guard of this node's lease failed; goes on")]
    private partial void LogBroken(Exception exception);
}
