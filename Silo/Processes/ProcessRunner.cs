using System.Diagnostics;
using System.Runtime.InteropServices;
using Carina.Grains.Errors;
using Carina.Grains.Telemetry;
using Carina.Silo.Linux;

namespace Carina.Silo.Processes;

/// <summary>
/// Runs programs in a session of their own (<c>setsid</c> of util-linux), so that ending one ends its children too.
/// </summary>
internal sealed partial class ProcessRunner(TimeProvider clock, ILogger<ProcessRunner> logger) : ICommandRunner
{
    private const string SessionLeader = "setsid";
    private const int Sigterm = 15;
    private const int Sigkill = 9;

    /// <summary>Most characters of standard output; a report of 1,000 volumes is below 1 Mi.</summary>
    internal const int MaxOutput = 16 << 20;

    /// <summary>Most characters of standard error that are kept.</summary>
    internal const int MaxError = 4 << 10;

    /// <summary>From TERM to KILL, and from KILL to giving up on a process that the kernel does not let go.</summary>
    internal static readonly TimeSpan Grace = TimeSpan.FromSeconds(3);

    // A daemon that the program left behind may keep its output open for ever.
    private static readonly TimeSpan _drainTime = TimeSpan.FromSeconds(1);

    public async Task<CommandResult> RunAsync(
        string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(program);
        ArgumentNullException.ThrowIfNull(arguments);
        cancellationToken.ThrowIfCancellationRequested();
        using var activity = CarinaTelemetry.Source.StartActivity(SpanName(program, arguments));
        activity?.SetTag("process.executable.name", program);

        using var process = new Process { StartInfo = Describe(program, arguments) };
        var started = clock.GetTimestamp();
        process.Start();
        process.StandardInput.Close();
        using var draining = new CancellationTokenSource();
        var output = new BoundedText(MaxOutput);
        var error = new BoundedText(MaxError);
        var reading = Task.WhenAll(
            output.FillAsync(process.StandardOutput, draining.Token),
            error.FillAsync(process.StandardError, draining.Token));
        try
        {
            try
            {
                await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                await EndAsync(process, program).ConfigureAwait(false);
                activity?.SetStatus(ActivityStatusCode.Error, "cancelled");
                throw;
            }

            await reading.WaitAsync(_drainTime, clock, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            LogOutputHeldOpen(logger, program);
        }
        finally
        {
            await draining.CancelAsync().ConfigureAwait(false);
            await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        activity?.SetTag("process.exit.code", process.ExitCode);
        LogEnded(logger, program, process.ExitCode, clock.GetElapsedTime(started).TotalMilliseconds);
        if (output.Overflowed)
        {
            throw new StorageException(
                StorageErrorCode.Internal,
                $"'{program}' printed more than {MaxOutput} characters, which is more than its answer can be; run it by hand to see why.");
        }

        return new CommandResult(process.ExitCode, output.ToString(), error.ToString().Trim());
    }

    private static ProcessStartInfo Describe(string program, IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo
        {
            FileName = ProgramPath.Find(SessionLeader),
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };

        // --wait matters only where setsid has to fork, because it already leads a process group.
        start.ArgumentList.Add("--wait");
        start.ArgumentList.Add(ProgramPath.Find(program));
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["LC_ALL"] = "C";
        return start;
    }

    // Paths and numbers would make every span's name its own.
    private static string SpanName(string program, IReadOnlyList<string> arguments)
    {
        var name = Path.GetFileName(program);
        return arguments.Count > 0 && arguments[0].Length > 0 && arguments[0].All(char.IsAsciiLetterLower)
            ? name + " " + arguments[0]
            : name;
    }

    private async Task EndAsync(Process process, string program)
    {
        Signal(process, Sigterm);
        if (!await ExitsAsync(process).ConfigureAwait(false))
        {
            LogKilling(logger, program, process.Id);
        }

        // Also when the leader has gone: children may have ignored TERM.
        Signal(process, Sigkill);
        if (!await ExitsAsync(process).ConfigureAwait(false))
        {
            LogUnkillable(logger, program, process.Id);
        }
    }

    private static void Signal(Process process, int signal)
    {
        // The group does not exist in the instant before setsid has made it; then there are no children either.
        if (Libc.Kill(-process.Id, signal) != 0 && Marshal.GetLastPInvokeError() == Errno.ESRCH && !process.HasExited)
        {
            _ = Libc.Kill(process.Id, signal);
        }
    }

    private async Task<bool> ExitsAsync(Process process)
    {
        try
        {
            await process.WaitForExitAsync(CancellationToken.None).WaitAsync(Grace, clock).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }
}
