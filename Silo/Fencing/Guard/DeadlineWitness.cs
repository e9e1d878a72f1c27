namespace Carina.Silo.Fencing.Guard;

/// <summary>
/// The silo's side of <see cref="DeadlineFile"/>. The lease must never promise what the guard process has not been told
/// of, so a promise is written before the lease can say so, and taken back after it has ceased to.
/// </summary>
internal sealed partial class DeadlineWitness(DeadlineFile file, ILocalSiloDetails self, ILogger<DeadlineWitness> logger)
{
    private readonly Lock _lock = new();

    // What is in the file; null when that is not known.
    private LeaseDeadline? _written;
    private bool _failed;

    /// <summary>
    /// A lease is about to be sent that promises to cut off in time. When something is promised already, that goes on to
    /// hold: its deadline is the earlier one.
    /// </summary>
    /// <exception cref="IOException">The guard process cannot be told; the lease must not be sent.</exception>
    public void Promise(TimeSpan deadline)
    {
        lock (_lock)
        {
            var known = _written ?? file.Read();
            if (known is { Guarded: true } && known.BootId == file.BootId)
                _written = known;
            else
                Write(deadline, guarded: true);
        }
    }

    /// <summary>The lease was renewed, or need not be for now: nothing has to be cut off before this time.</summary>
    public void MoveTo(TimeSpan deadline) => Try(deadline, guarded: true);

    /// <summary>The lease promises nothing any more, or nothing is guarded.</summary>
    public void Release() => Try(default, guarded: false);

    // When it fails, the guard process acts by what it was told before, which is earlier and does no harm but to pods.
    private void Try(TimeSpan deadline, bool guarded)
    {
        lock (_lock)
        {
            try
            {
                Write(deadline, guarded);
                _failed = false;
            }
            catch (IOException exception)
            {
                _written = null;
                if (!_failed)
                    LogFailed(exception.Message);

                _failed = true;
            }
        }
    }

    private void Write(TimeSpan deadline, bool guarded)
    {
        var next = new LeaseDeadline(
            file.BootId, self.SiloAddress.ToParsableString(), guarded, LeaseDeadline.ToNanoseconds(deadline));
        if (next == _written)
            return;

        file.Write(next);
        _written = next;
    }

    [LoggerMessage(1, LogLevel.Error, "The guard process could not be told of the lease's deadline; it may cut volumes off too early: {Reason}")]
    private partial void LogFailed(string reason);
}
