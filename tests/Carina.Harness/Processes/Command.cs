using System.ComponentModel;
using System.Diagnostics;

namespace Carina.Harness.Processes;

/// <summary>How a program ended.</summary>
public sealed record CommandOutcome(int ExitCode, string Output, string Error);

/// <summary>Runs the machine's own tools (losetup, mount, lvm) for the laboratory.</summary>
public static class Command
{
    private static readonly TimeSpan _defaultLimit = TimeSpan.FromMinutes(2);

    /// <summary>Runs a program and returns its standard output.</summary>
    /// <exception cref="HarnessException">It does not exist, failed or took longer than its limit, two minutes unless told.</exception>
    public static async Task<string> RunAsync(
        string program,
        IReadOnlyList<string> arguments,
        CancellationToken cancellationToken,
        IReadOnlyDictionary<string, string>? environment = null,
        TimeSpan? limit = null)
    {
        var outcome = await TryRunAsync(program, arguments, cancellationToken, environment, limit);
        return outcome.ExitCode == 0
            ? outcome.Output
            : throw new HarnessException(
                $"'{program} {string.Join(' ', arguments)}' ended with status {outcome.ExitCode}: {outcome.Error.Trim()}");
    }

    /// <summary>Runs a program whose failure is an answer, too.</summary>
    public static async Task<CommandOutcome> TryRunAsync(
        string program,
        IReadOnlyList<string> arguments,
        CancellationToken cancellationToken,
        IReadOnlyDictionary<string, string>? environment = null,
        TimeSpan? limit = null)
    {
        var start = new ProcessStartInfo(Find(program))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["LC_ALL"] = "C";
        foreach (var (key, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[key] = value;
        }

        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(limit ?? _defaultLimit);
        using var process = Start(start, program);
        process.StandardInput.Close();
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(deadline.Token);
            var error = process.StandardError.ReadToEndAsync(deadline.Token);
            await process.WaitForExitAsync(deadline.Token);
            return new(process.ExitCode, await output, await error);
        }
        catch (OperationCanceledException) when (!process.HasExited)
        {
            process.Kill();
            cancellationToken.ThrowIfCancellationRequested();
            throw new HarnessException($"'{program}' did not end within {limit ?? _defaultLimit}.");
        }
    }

    /// <summary>Whether the machine has a program.</summary>
    public static bool Exists(string program) => Candidates(program).Any(File.Exists);

    private static Process Start(ProcessStartInfo start, string program)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception exception)
        {
            throw new HarnessException($"'{program}' cannot be started: {exception.Message}", exception);
        }
    }

    // Not everybody's PATH has the administrator's directories.
    private static string Find(string program) => Candidates(program).FirstOrDefault(File.Exists) ?? program;

    private static IEnumerable<string> Candidates(string program) =>
        $"{Environment.GetEnvironmentVariable("PATH")}:/usr/sbin:/sbin"
            .Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Select(directory => Path.Combine(directory, program));
}
