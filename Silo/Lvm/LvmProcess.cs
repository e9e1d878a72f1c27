using System.Diagnostics;
using System.Text;
using Carina.Silo.Linux;
using Carina.Silo.Processes;

namespace Carina.Silo.Lvm;

/// <summary>
/// One run of the lvm shell, which reads commands from a pipe and ends when the pipe does, that is with this process.
/// Not thread-safe.
/// </summary>
internal sealed class LvmProcess : IDisposable
{
    private const int Sigint = 2;
    private const int Sigkill = 9;
    private const int MaxDocument = 64 << 20;

    // A document's first and last line; nothing else begins in this column.
    private const string Begin = "  {";
    private const string End = "  }";

    private static readonly TimeSpan _grace = TimeSpan.FromSeconds(2);

    private readonly Process _process;
    private readonly BoundedText _error = new(4 << 10);
    private readonly Task _errors;

    private LvmProcess(Process process)
    {
        _process = process;
        _errors = _error.FillAsync(process.StandardError, CancellationToken.None);
    }

    public int Id => _process.Id;

    /// <summary>What an ended process had written to its standard error, or at least the beginning of that.</summary>
    public async Task<string> ReadErrorAsync()
    {
        await Task.WhenAny(_errors, Task.Delay(_grace)).ConfigureAwait(false);
        return _errors.IsCompleted ? _error.ToString().Trim() : "";
    }

    /// <summary>Starts the shell.</summary>
    /// <param name="systemDirectory">LVM_SYSTEM_DIR.</param>
    public static LvmProcess Start(string systemDirectory)
    {
        var start = new ProcessStartInfo
        {
            // A session of its own: a Ctrl-C at the terminal is not meant for it.
            FileName = ProgramPath.Find("setsid"),
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            StandardOutputEncoding = Encoding.UTF8,
        };
        start.ArgumentList.Add(ProgramPath.Find("lvm"));
        start.Environment["LC_ALL"] = "C";
        start.Environment["LVM_SYSTEM_DIR"] = systemDirectory;
        start.Environment["LVM_SUPPRESS_FD_WARNINGS"] = "1";
        if (!LvmConfiguration.UdevRuns)
            start.Environment["DM_DISABLE_UDEV"] = "1";

        // Its pipes must not keep the caller's trace alive.
        using (ExecutionContext.SuppressFlow())
        {
            var process = new Process { StartInfo = start };
            process.Start();
            return new LvmProcess(process);
        }
    }

    /// <summary>Sends a command and reads the document that answers it; null when the process ends instead.</summary>
    public async Task<string?> AskAsync(LvmCommand command)
    {
        try
        {
            await _process.StandardInput.WriteAsync(command.Line + "\n").ConfigureAwait(false);
            await _process.StandardInput.FlushAsync().ConfigureAwait(false);
        }
        catch (IOException)
        {
            return null;
        }

        var document = new StringBuilder();
        while (await _process.StandardOutput.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            // Anything outside a document is chatter.
            if (document.Length == 0 && line != Begin)
                continue;

            document.Append(line).Append('\n');
            if (line == End)
                return document.ToString();

            if (document.Length > MaxDocument)
                throw new FormatException($"it is longer than {MaxDocument} characters");
        }

        return null;
    }

    /// <summary>Whether it waits for a file lock that somebody else holds (proc(5), /proc/locks).</summary>
    public bool IsWaitingForLock()
    {
        try
        {
            return File.ReadLines("/proc/locks")
                .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
                .Any(words => words.Length > 5 && words[1] == "->" && words[5] == $"{_process.Id}");
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Lets it end by itself, by ending its input.</summary>
    /// <returns>Whether it did.</returns>
    public Task<bool> CloseAsync()
    {
        try
        {
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has ended already.
        }

        return ExitsAsync();
    }

    /// <summary>
    /// Ends it, whatever it does: first in the way that LVM heeds while it waits for a lock, and between the steps of a
    /// change rather than within one.
    /// </summary>
    /// <returns>Whether it ended; a process that waits for a dead device does not.</returns>
    public async Task<bool> EndAsync()
    {
        if (_process.HasExited)
            return true;

        _ = Libc.Kill(_process.Id, Sigint);
        if (await ExitsAsync().ConfigureAwait(false))
            return true;

        _ = Libc.Kill(_process.Id, Sigkill);
        return await ExitsAsync().ConfigureAwait(false);
    }

    public void Dispose() => _process.Dispose();

    private async Task<bool> ExitsAsync()
    {
        using var limit = new CancellationTokenSource(_grace);
        try
        {
            await _process.WaitForExitAsync(limit.Token).ConfigureAwait(false);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
