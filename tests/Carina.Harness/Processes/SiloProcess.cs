using System.Diagnostics;
using System.Globalization;

namespace Carina.Harness.Processes;

/// <summary>One process of a laboratory, of the driver or of Kubernetes; its output is kept in a log file.</summary>
public sealed class SiloProcess : IAsyncDisposable
{
    private static readonly TimeSpan _grace = TimeSpan.FromSeconds(20);
    private readonly Process _process;
    private readonly Task _output;

    private SiloProcess(string name, Process process, string logPath)
    {
        (Name, _process, LogPath) = (name, process, logPath);
        Id = process.Id;
        var log = new StreamWriter(new FileStream(logPath, FileMode.Append, FileAccess.Write, FileShare.ReadWrite))
        {
            AutoFlush = true,
        };
        _output = CopyOutputAsync(process, log);
    }

    public string Name { get; }

    public int Id { get; }

    /// <summary>Output of this and earlier processes of the same name.</summary>
    public string LogPath { get; }

    public bool HasExited => _process.HasExited;

    /// <summary>Exit status; 137 after SIGKILL.</summary>
    public int ExitCode => _process.ExitCode;

    /// <summary>
    /// Page faults of the processes it has started and seen end: the same number twice means that none was started in
    /// between (cminflt of proc_pid_stat(5)).
    /// </summary>
    public long ChildrenFaults
    {
        get
        {
            // The fields are counted from behind the name, which may hold anything.
            var stat = File.ReadAllText($"/proc/{Id}/stat");
            return long.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[8], CultureInfo.InvariantCulture);
        }
    }

    /// <summary>Starts <c>dotnet ASSEMBLY ARGUMENTS</c>, by a program that becomes it where one is given.</summary>
    public static SiloProcess Start(
        string name,
        string assembly,
        IReadOnlyList<string> arguments,
        IReadOnlyDictionary<string, string> environment,
        string logPath,
        IReadOnlyList<string>? under = null)
    {
        if (!File.Exists(assembly))
        {
            throw new HarnessException($"{assembly} does not exist; build it first (dotnet build).");
        }

        string[] command = [.. under ?? [], "dotnet", assembly, .. arguments];
        return StartProgram(name, command[0], command[1..], environment, logPath);
    }

    /// <summary>Starts <c>PROGRAM ARGUMENTS</c>.</summary>
    public static SiloProcess StartProgram(
        string name,
        string program,
        IReadOnlyList<string> arguments,
        IReadOnlyDictionary<string, string> environment,
        string logPath)
    {
        var start = new ProcessStartInfo(program)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var (key, value) in environment)
        {
            start.Environment[key] = value;
        }

        var process = Process.Start(start)!;
        process.StandardInput.Close();
        return new(name, process, logPath);
    }

    /// <summary>SIGKILL, to this process alone: what it started has to notice by itself.</summary>
    public async Task KillAsync(CancellationToken cancellationToken)
    {
        _process.Kill();
        await _process.WaitForExitAsync(cancellationToken);
    }

    /// <summary>SIGSTOP: it keeps its connections and answers nobody.</summary>
    public void Freeze() => Signals.Send(Id, Signals.Stop);

    /// <summary>SIGCONT.</summary>
    public void Thaw() => Signals.Send(Id, Signals.Continue);

    /// <summary>SIGTERM, and after a grace SIGKILL. True when it went by itself.</summary>
    public async Task<bool> StopAsync(CancellationToken cancellationToken)
    {
        if (_process.HasExited)
        {
            return true;
        }

        Signals.Send(Id, Signals.Terminate);
        try
        {
            await _process.WaitForExitAsync(cancellationToken).WaitAsync(_grace, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            await KillAsync(cancellationToken);
            return false;
        }
    }

    /// <summary>Waits for the process to end by itself.</summary>
    public Task WaitForExitAsync(CancellationToken cancellationToken) => _process.WaitForExitAsync(cancellationToken);

    /// <summary>The last lines of the log.</summary>
    public string Tail(int lines)
    {
        using var log = new StreamReader(new FileStream(LogPath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        var all = log.ReadToEnd().Split('\n');
        return string.Join('\n', all[^Math.Min(lines, all.Length)..]);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            await KillAsync(CancellationToken.None);
        }

        // Something it started may hold its output open.
        await _output.WaitAsync(TimeSpan.FromSeconds(2)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _process.Dispose();
    }

    private static async Task CopyOutputAsync(Process process, StreamWriter log)
    {
        await using (log)
        {
            using var turn = new SemaphoreSlim(1, 1);
            await log.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture, $"---- process {process.Id} {DateTimeOffset.UtcNow:O}"));
            await Task.WhenAll(
                CopyAsync(process.StandardOutput, log, turn), CopyAsync(process.StandardError, log, turn));
        }
    }

    private static async Task CopyAsync(StreamReader from, StreamWriter to, SemaphoreSlim turn)
    {
        while (await from.ReadLineAsync() is { } line)
        {
            await turn.WaitAsync();
            try
            {
                await to.WriteLineAsync(line);
            }
            finally
            {
                turn.Release();
            }
        }
    }
}
