using Carina.Harness.Leftovers;
using Carina.Harness.Policies;
using Carina.Harness.Sidecars;

namespace Carina.Harness.Cluster;

/// <summary>
/// A whole cluster on this machine, without Kubernetes: one controller process and one process for each node, on
/// loopback, with one state file. Everything it makes is in or below <see cref="Directory"/> and goes with it.
/// </summary>
public sealed class EmbeddedCluster : IAsyncDisposable
{
    private static readonly TimeSpan _pollInterval = TimeSpan.FromMilliseconds(100);
    private readonly List<ClusterNode> _nodes = [];
    private readonly List<NodeStorage> _storages = [];

    private EmbeddedCluster(ClusterOptions options, string directory)
    {
        (Options, Directory) = (options, directory);
        StateFile = new MemberFiles(options, directory).StateFile;
    }

    public ClusterOptions Options { get; }

    public string Directory { get; }

    /// <summary>The embedded database that all processes share.</summary>
    public string StateFile { get; }

    /// <summary>Logs of all processes.</summary>
    public string LogDirectory => MemberFiles.LogDirectory(Directory);

    public ClusterMember Controller { get; private set; } = null!;

    public IReadOnlyList<ClusterNode> Nodes => _nodes;

    /// <summary>All controllers, the first one first.</summary>
    public IReadOnlyList<ClusterMember> Controllers { get; private set; } = [];

    public IEnumerable<ClusterMember> Members => [.. Controllers, .. _nodes];

    public ProvisionerSim Provisioner { get; private set; } = null!;

    public ResizerSim Resizer { get; private set; } = null!;

    /// <summary>Name of the pool on every node.</summary>
    public string Pool => Options.Policy.Pool;

    /// <summary>Makes disks, starts all processes and waits until every pool is discovered.</summary>
    /// <exception cref="HarnessException">It did not get ready; with the ends of the logs. Nothing is left.</exception>
    public static async Task<EmbeddedCluster> StartAsync(ClusterOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        var cluster = new EmbeddedCluster(options, LaboratoryDirectory.Make());
        try
        {
            await cluster.PrepareAsync(cancellationToken);
            foreach (var member in cluster.Members)
            {
                member.Start();
            }

            await cluster.WaitUntilReadyAsync(cancellationToken);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>A node by its name.</summary>
    public ClusterNode Node(string name) => _nodes.Single(n => n.Name == name);

    /// <summary>Bytes that can be had on a node; asks again while that is not known, as the provisioner does.</summary>
    public async Task<long> GetCapacityAsync(string node, CancellationToken cancellationToken) => (await Retry.CallAsync(
        () => Provisioner.GetCapacityAsync(node, Pool, cancellationToken), cancellationToken)).AvailableCapacity;

    /// <summary>Waits until all processes say that they are ready and every node's pool has something to give.</summary>
    /// <exception cref="HarnessException">A process ended or it took too long.</exception>
    public async Task WaitUntilReadyAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Options.StartTimeout);
        var waitingFor = "";
        try
        {
            foreach (var member in Members)
            {
                waitingFor = $"{member.Name} to be ready";
                while (!await member.IsReadyAsync(limit.Token))
                {
                    await Task.Delay(_pollInterval, limit.Token);
                }
            }

            foreach (var node in _nodes)
            {
                waitingFor = $"the pool of {node.Name}";
                while (await node.IsReadyAsync(limit.Token) && await GetCapacityAsync(node.Name, limit.Token) == 0)
                {
                    await Task.Delay(_pollInterval, limit.Token);
                }
            }
        }
        catch (Exception exception) when (exception is not HarnessException && !cancellationToken.IsCancellationRequested)
        {
            throw new HarnessException($"Waited for {waitingFor}: {exception.Message}\n{Tails(25)}", exception);
        }
    }

    /// <summary>Changes the fields of <c>failover</c>, as JSON, in every controller's <c>config.json</c>; they read it when it changes.</summary>
    public async Task SetFailoverAsync(string failover, CancellationToken cancellationToken)
    {
        var text = new MemberFiles(Options, Directory).ToConfig(null, failover);
        foreach (var controller in Controllers)
        {
            var path = Path.Combine(controller.Directory, "config.json");
            await File.WriteAllTextAsync(path + ".new", text, cancellationToken);
            File.Move(path + ".new", path, overwrite: true);
        }
    }

    /// <summary>Starts a node again and waits until the cluster has it back.</summary>
    public async Task RestartAsync(ClusterMember member, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(member);
        member.Start();
        await WaitUntilReadyAsync(cancellationToken);
    }

    /// <summary>The ends of all logs, for a person.</summary>
    public string Tails(int lines) => string.Join('\n', Members.Select(m =>
        $"==== {m.Name}{(m.Process is null ? " (not running)" : "")}\n{TailOf(m, lines)}"));

    /// <summary>What the driver has left on the disks, in mounts and in loop devices though it has no volumes.</summary>
    public Task<IReadOnlyList<string>> FindDriverLeftoversAsync(CancellationToken cancellationToken) =>
        LeftoverInspector.FindOfDriverAsync(this, cancellationToken);

    /// <summary>
    /// Unmounts and removes what is below the kubelets' roots without asking the driver, for what a failed test left.
    /// </summary>
    public Task<IReadOnlyList<string>> ClearKubeletsAsync() =>
        LeftoverInspector.ClearAsync([.. _nodes.Select(n => n.Kubelet.Root)]);

    /// <summary>Ends everything and takes everything away; says what could not be.</summary>
    public async Task<IReadOnlyList<string>> RemoveAsync()
    {
        var problems = new List<string>();
        foreach (var member in Members)
        {
            if (!await member.StopAsync(CancellationToken.None))
            {
                problems.Add($"{member.Name} did not stop when asked to and was killed");
            }

            await member.DisposeAsync();
        }

        problems.AddRange(await LeftoverInspector.RemoveAsync(
            Directory, _nodes.SelectMany(n => n.MountRoots), _storages));
        return problems;
    }

    public async ValueTask DisposeAsync()
    {
        if (System.IO.Directory.Exists(Directory))
        {
            await RemoveAsync();
        }
    }

    private async Task PrepareAsync(CancellationToken cancellationToken)
    {
        System.IO.Directory.CreateDirectory(LogDirectory);
        var files = new MemberFiles(Options, Directory);
        var ports = new Queue<int>(FreePorts.Find(Options.Nodes.Count + 1 + Options.MoreControllers));
        Controller = Member("controller");
        Controllers = [Controller, .. Enumerable.Range(2, Options.MoreControllers).Select(i => Member($"controller-{i}"))];
        Provisioner = new(Controller.Csi);
        Resizer = new(Controller.Csi);
        foreach (var spec in Options.Nodes)
        {
            var own = System.IO.Directory.CreateDirectory(Path.Combine(Directory, spec.Name)).FullName;
            var storage = await Options.Policy.PrepareAsync(own, spec.DiskBytes, cancellationToken);
            _storages.Add(storage);
            _nodes.Add(new(spec.Name, own, files.Write("node", spec.Name, ports.Dequeue(), storage), storage));
        }

        ClusterMember Member(string name) =>
            new(name, Path.Combine(Directory, name), files.Write("controller", name, ports.Dequeue(), null));
    }

    private static string TailOf(ClusterMember member, int lines)
    {
        var log = Path.Combine(MemberFiles.LogDirectory(Path.GetDirectoryName(member.Directory)!), member.Name + ".log");
        return File.Exists(log) ? string.Join('\n', File.ReadLines(log).TakeLast(lines)) : "(no log)";
    }
}
