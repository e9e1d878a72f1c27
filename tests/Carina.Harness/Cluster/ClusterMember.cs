using Carina.Harness.Csi;
using Carina.Harness.Processes;

namespace Carina.Harness.Cluster;

/// <summary>One process of the cluster, the controller or a node, over all its restarts.</summary>
public class ClusterMember(string name, string directory, MemberLaunch launch) : IAsyncDisposable
{
    public string Name => name;

    /// <summary>What the member keeps: socket, configuration, disks, kubelet's root.</summary>
    public string Directory => directory;

    public string SocketPath => launch.SocketPath;

    /// <summary>A caller of its socket.</summary>
    public CsiClient Csi { get; } = new(launch.SocketPath);

    /// <summary>The process; null before the first start and after a stop.</summary>
    public SiloProcess? Process { get; private set; }

    public bool IsRunning => Process is { HasExited: false };

    public void Start()
    {
        if (IsRunning)
        {
            throw new HarnessException($"{name} runs already.");
        }

        Process = SiloProcess.Start(name, launch.Assembly, launch.Arguments, launch.Environment, launch.LogPath, launch.Under);
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync(CancellationToken cancellationToken)
    {
        var process = Process ?? throw new HarnessException($"{name} does not run.");
        await process.KillAsync(cancellationToken);
        await ForgetProcessAsync();
    }

    /// <summary>Lets it go in peace; true when it did not have to be killed.</summary>
    public async Task<bool> StopAsync(CancellationToken cancellationToken)
    {
        if (Process is null)
        {
            return true;
        }

        var peaceful = await Process.StopAsync(cancellationToken);
        await ForgetProcessAsync();
        return peaceful;
    }

    /// <summary>Ready to serve; throws when the process is gone.</summary>
    public async Task<bool> IsReadyAsync(CancellationToken cancellationToken) =>
        Process is null or { HasExited: true }
            ? throw new HarnessException($"{name} has ended by itself, status {Process?.ExitCode}:\n{Process?.Tail(40)}")
            : await Csi.IsReadyAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await ForgetProcessAsync();
        Csi.Dispose();
    }

    private async Task ForgetProcessAsync()
    {
        if (Process is { } process)
        {
            Process = null;
            await process.DisposeAsync();
        }
    }
}

/// <summary>How a member's process is started, each time the same.</summary>
public sealed record MemberLaunch(
    string Assembly,
    IReadOnlyList<string> Arguments,
    IReadOnlyDictionary<string, string> Environment,
    string SocketPath,
    string LogPath)
{
    /// <summary>A program, with its arguments, that runs the process in an environment of its own.</summary>
    public IReadOnlyList<string> Under { get; init; } = [];
}
