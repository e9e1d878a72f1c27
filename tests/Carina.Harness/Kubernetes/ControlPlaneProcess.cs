using Carina.Harness.Cluster;
using Carina.Harness.Processes;

namespace Carina.Harness.Kubernetes;

/// <summary>One process of a control plane, over all its restarts, started each time the same.</summary>
internal sealed class ControlPlaneProcess(ControlPlaneLaunch launch, string directory, HttpClient http) : IAsyncDisposable
{
    private static readonly TimeSpan _pollInterval = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan _answerLimit = TimeSpan.FromSeconds(5);
    private SiloProcess? _process;

    public string Name => launch.Name;

    public void Start()
    {
        if (_process is not null)
        {
            throw new HarnessException($"{Name} runs already.");
        }

        _process = SiloProcess.StartProgram(
            Name,
            launch.Program,
            launch.Arguments,
            new Dictionary<string, string> { [LaboratoryMark.Variable] = directory, ["HOME"] = directory },
            LogPath);
    }

    /// <summary>SIGKILL; works on a frozen process, too.</summary>
    public async Task KillAsync(CancellationToken cancellationToken)
    {
        var process = Running();
        await process.KillAsync(cancellationToken);
        await DisposeAsync();
    }

    public void Freeze() => Running().Freeze();

    public void Thaw() => Running().Thaw();

    /// <summary>Waits until it says that it is ready.</summary>
    /// <exception cref="HarnessException">It ended, or the time is over; with the end of its log.</exception>
    public async Task WaitUntilReadyAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(limit);
        var answer = "none";
        try
        {
            while (true)
            {
                if (_process is null or { HasExited: true })
                {
                    throw new HarnessException(
                        $"{Name} has ended by itself, status {_process?.ExitCode}:\n{Tail(25)}");
                }

                (var ready, answer) = await AskAsync(deadline.Token);
                if (ready)
                {
                    return;
                }

                await Task.Delay(_pollInterval, deadline.Token);
            }
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new HarnessException(
                $"{Name} was not ready after {limit}; its last answer: {answer}\n{Tail(25)}", exception);
        }
    }

    /// <summary>The last lines of its log.</summary>
    public string Tail(int lines) =>
        File.Exists(LogPath) ? string.Join('\n', File.ReadLines(LogPath).TakeLast(lines)) : "(no log)";

    public async ValueTask DisposeAsync()
    {
        if (_process is { } process)
        {
            _process = null;
            await process.DisposeAsync();
        }
    }

    private string LogPath => Path.Combine(MemberFiles.LogDirectory(directory), Name + ".log");

    private SiloProcess Running() => _process ?? throw new HarnessException($"{Name} does not run.");

    private async Task<(bool Ready, string Answer)> AskAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_answerLimit);
        try
        {
            using var response = await http.GetAsync(launch.Health, limit.Token);
            return (response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync(limit.Token));
        }
        catch (HttpRequestException exception)
        {
            return (false, exception.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (false, $"none within {_answerLimit}");
        }
    }
}

/// <summary>How a process is started, and where it says that it is ready.</summary>
internal sealed record ControlPlaneLaunch(string Name, string Program, IReadOnlyList<string> Arguments, Uri Health);
