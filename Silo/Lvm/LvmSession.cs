using System.Diagnostics;
using Carina.Grains.Telemetry;

namespace Carina.Silo.Lvm;

/// <summary>
/// LVM for one pool: a process that starts with the first command, runs one command at a time and ends when there was
/// nothing to do for a while. A command in a running process costs a tenth and less of what a process of its own costs.
/// </summary>
internal sealed partial class LvmSession : IAsyncDisposable
{
    private readonly string _name;
    private readonly LvmConfiguration _configuration;
    private readonly LvmOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly ITimer _idle;
    private LvmProcess? _process;
    private bool _disposed;

    /// <param name="name">Name of the pool, for traces and logs.</param>
    /// <param name="configuration">The private configuration; written when a process starts.</param>
    public LvmSession(
        string name, LvmConfiguration configuration, LvmOptions options, TimeProvider clock, ILogger<LvmSession> logger)
    {
        (_name, _configuration, _options, _clock, _logger) = (name, configuration, options, clock, logger);
        using (ExecutionContext.SuppressFlow())
        {
            _idle = clock.CreateTimer(_ => _ = EndWhenIdleAsync(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    public LvmConfiguration Configuration => _configuration;

    /// <summary>The running process; null at rest.</summary>
    public int? ProcessId => _process?.Id;

    /// <summary>
    /// Runs a command when it is its turn. Cancellation withdraws it only until then: a command that has begun runs to
    /// its end, whoever still listens.
    /// </summary>
    /// <returns>What LVM answered, be it success or failure.</returns>
    /// <exception cref="LvmException">
    /// Locked when another program held the volume group for too long; ProcessEnded when the process died (the next
    /// command starts another); OutcomeUnknown when it hung or said what is not understood.
    /// </exception>
    public async Task<LvmResult> RunAsync(LvmCommand command, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        var running = RunInTurnAsync(command);
        if (!cancellationToken.CanBeCanceled)
            return await running.ConfigureAwait(false);

        try
        {
            return await running.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!running.IsCompleted)
        {
            LogAbandoned(_logger, _name, command.Line);
            _ = running.ContinueWith(
                static task => task.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            throw;
        }
    }

    /// <summary>Waits for the command that runs, then ends the process.</summary>
    public async ValueTask DisposeAsync()
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        if (_disposed)
        {
            _turn.Release();
            return;
        }

        _disposed = true;
        await _idle.DisposeAsync().ConfigureAwait(false);
        await CloseAsync().ConfigureAwait(false);
        _turn.Release();
    }

    private async Task<LvmResult> RunInTurnAsync(LvmCommand command)
    {
        using var activity = CarinaTelemetry.Source.StartActivity("lvm " + command.Name);
        activity?.SetTag("process.executable.name", "lvm");
        activity?.SetTag(CarinaTelemetry.PoolTag, _name);
        if (command.VolumeIds.Count > 0)
            activity?.SetTag(CarinaTelemetry.VolumeIdTag, string.Join(',', command.VolumeIds));

        var started = _clock.GetTimestamp();
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            var result = await AskAsync(command).ConfigureAwait(false);
            LogAnswered(_logger, _name, command.Line, result.ReturnCode, _clock.GetElapsedTime(started).TotalMilliseconds);
            if (!result.Succeeded)
                activity?.SetStatus(ActivityStatusCode.Error, result.Complaint);

            return result;
        }
        catch (LvmException exception)
        {
            activity?.SetStatus(ActivityStatusCode.Error, exception.Message);
            throw;
        }
        finally
        {
            if (!_disposed)
                _idle.Change(_options.IdleTime, Timeout.InfiniteTimeSpan);

            _turn.Release();
        }
    }

    private async Task<LvmResult> AskAsync(LvmCommand command)
    {
        var process = _process ??= Start();
        var answering = process.AskAsync(command);
        string? document;
        try
        {
            document = await answering.WaitAsync(_options.CommandLimit, _clock).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            throw await GiveUpAsync(process, answering, command).ConfigureAwait(false);
        }
        catch (FormatException exception)
        {
            await ForgetAsync(process).ConfigureAwait(false);
            throw NotUnderstood(command, exception);
        }

        if (document is null)
        {
            await ForgetAsync(process).ConfigureAwait(false);
            var error = await process.ReadErrorAsync().ConfigureAwait(false);
            LogProcessEnded(_logger, _name, command.Line, error);
            throw new LvmException(
                LvmErrorKind.ProcessEnded, $"The lvm process ended before it answered '{command.Line}'. {error}".TrimEnd());
        }

        try
        {
            return LvmResult.Parse(document);
        }
        catch (FormatException exception)
        {
            throw NotUnderstood(command, exception);
        }
    }

    private LvmProcess Start()
    {
        _configuration.Write();
        var process = LvmProcess.Start(_configuration.SystemDirectory);
        LogStarted(_logger, _name, process.Id);
        return process;
    }

    private static LvmException NotUnderstood(LvmCommand command, FormatException exception) => new(
        LvmErrorKind.OutcomeUnknown, $"LVM's answer to '{command.Line}' is not understood: {exception.Message}.", exception);

    /// <summary>Ends the process that hangs; says what is known of the command.</summary>
    private async Task<LvmException> GiveUpAsync(LvmProcess process, Task<string?> answering, LvmCommand command)
    {
        var waitsForLock = process.IsWaitingForLock();
        LogHangs(_logger, _name, command.Line, process.Id, waitsForLock);
        await ForgetAsync(process).ConfigureAwait(false);
        _ = answering.ContinueWith(
            static task => task.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        return waitsForLock
            ? new LvmException(
                LvmErrorKind.Locked,
                $"'{command.Line}' was not begun: another program has held the lock of the volume group for {_options.CommandLimit}. "
                + "Look for an LVM command that waits for an answer at a terminal.")
            : new LvmException(
                LvmErrorKind.OutcomeUnknown,
                $"'{command.Line}' has not ended after {_options.CommandLimit} and was given up; a disk may not answer.");
    }

    private async Task ForgetAsync(LvmProcess process)
    {
        _process = null;
        if (!await process.EndAsync().ConfigureAwait(false))
            LogUnkillable(_logger, _name, process.Id);

        process.Dispose();
    }

    private async Task EndWhenIdleAsync()
    {
        if (!await _turn.WaitAsync(TimeSpan.Zero).ConfigureAwait(false))
            return;

        try
        {
            if (!_disposed)
                await CloseAsync().ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task CloseAsync()
    {
        if (_process is not { } process)
            return;

        _process = null;
        LogClosed(_logger, _name, process.Id);
        if (!await process.CloseAsync().ConfigureAwait(false) && !await process.EndAsync().ConfigureAwait(false))
            LogUnkillable(_logger, _name, process.Id);

        process.Dispose();
    }
}
