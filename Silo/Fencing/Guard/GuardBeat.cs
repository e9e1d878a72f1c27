using System.Text.Json;
using System.Text.Json.Serialization;
using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Silo.Fencing.Leases;
using Carina.Silo.Linux;

namespace Carina.Silo.Fencing.Guard;

/// <summary>What the guard process says of itself.</summary>
/// <param name="BootId">The boot of the machine whose clock is meant.</param>
/// <param name="At">When it said so, in nanoseconds of CLOCK_BOOTTIME.</param>
/// <param name="Watchdog">Whether the kernel's watchdog restarts the machine when it falls silent.</param>
internal sealed record GuardSign(
    [property: JsonRequired] string BootId,
    [property: JsonRequired] long At,
    [property: JsonRequired] bool Watchdog);

/// <summary>
/// Files by which the silo sees that the guard process lives: a lock that the kernel takes from it when it dies, and a sign
/// that grows old when it hangs.
/// </summary>
/// <param name="directory">The silo's run directory.</param>
internal sealed class GuardFiles(string directory)
{
    public string Lock => Path.Combine(directory, "guard.lock");

    public string Sign => Path.Combine(directory, "guard.json");
}

/// <summary>The guard process' side: it lives, and does its work.</summary>
internal sealed partial class GuardBeat(
    GuardFiles files, DeadlineFile boot, ILeaseClock clock, IWatchdog watchdog, TimeProvider time, ILogger<GuardBeat> logger) : IDisposable
{
    private static readonly TimeSpan _interval = TimeSpan.FromSeconds(1);

    private FileLock? _lock;
    private TimeSpan? _last;
    private bool _failed;

    /// <summary>Says so, at most once a second. Another guard process that does already is left to it.</summary>
    public async Task BeatAsync()
    {
        var now = clock.Elapsed;
        if (_last is { } last && now - last < _interval)
            return;

        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(files.Sign)!);
            _lock ??= await FileLock.TryAcquireAsync(files.Lock, TimeSpan.Zero, time, CancellationToken.None).ConfigureAwait(false);
            if (_lock is null)
                return;

            var sign = new GuardSign(boot.BootId, LeaseDeadline.ToNanoseconds(now), watchdog.IsArmed);
            File.WriteAllBytes(files.Sign + ".new", JsonSerializer.SerializeToUtf8Bytes(sign));
            File.Move(files.Sign + ".new", files.Sign, overwrite: true);
            (_last, _failed) = (now, false);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or StorageException)
        {
            if (!_failed)
                LogFailed(exception.Message);

            _failed = true;
        }
    }

    public void Dispose() => _lock?.Dispose();

    [LoggerMessage(1, LogLevel.Error, "The driver cannot be shown that its guard process lives, so the node's lease does not say so: {Reason}")]
    private partial void LogFailed(string reason);
}

/// <summary>The silo's side.</summary>
internal sealed class GuardSight(GuardFiles files, DeadlineFile boot, ILeaseClock clock)
{
    /// <summary>A sign of life that is older than this is none: several seconds may pass while volumes are cut off.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Who keeps the lease's word beside the silo, seen just now.</summary>
    public LeaseGuard Look()
    {
        try
        {
            if (!FileLock.IsHeld(files.Lock)
                || JsonSerializer.Deserialize<GuardSign>(File.ReadAllBytes(files.Sign)) is not { } sign
                || sign.BootId != boot.BootId)
            {
                return LeaseGuard.Silo;
            }

            var age = LeaseDeadline.ToNanoseconds(clock.Elapsed) - sign.At;
            return age > LeaseDeadline.ToNanoseconds(Patience) ? LeaseGuard.Silo
                : sign.Watchdog ? LeaseGuard.ProcessAndWatchdog
                : LeaseGuard.Process;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException)
        {
            return LeaseGuard.Silo;
        }
    }
}
