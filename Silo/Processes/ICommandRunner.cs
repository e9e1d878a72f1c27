namespace Carina.Silo.Processes;

/// <summary>How a program ended.</summary>
/// <param name="ExitCode">Exit status; 128 + n when ended by signal n.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Error">Standard error, shortened to what a person reads.</param>
public sealed record CommandResult(int ExitCode, string Output, string Error);

/// <summary>Runs programs of the node. Arguments are a list and never pass through a shell.</summary>
public interface ICommandRunner
{
    /// <summary>
    /// Runs a program to its end, with an empty standard input and <c>LC_ALL=C</c>. Cancellation ends the program and
    /// its children (first TERM, then KILL) before it throws.
    /// </summary>
    /// <exception cref="Grains.Errors.StorageException">Internal when the program does not exist.</exception>
    Task<CommandResult> RunAsync(
        string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken);
}
