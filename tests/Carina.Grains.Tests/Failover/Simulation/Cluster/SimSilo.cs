using Carina.Grains.Agents;
using Carina.Grains.Configuration;
using Carina.Grains.Errors;
using Carina.Grains.Events;
using Carina.Grains.Failover;
using Carina.Grains.Nodes;
using Carina.Grains.Storage;
using Carina.Grains.Tests.Failover.Simulation.Engine;
using Carina.Grains.Tests.Failover.Simulation.Node;
using Carina.Grains.Tests.Failover.Simulation.Runtime;
using Carina.Grains.Volumes;
using Microsoft.Extensions.Logging;

namespace Carina.Grains.Tests.Failover.Simulation.Cluster;

/// <summary>
/// One life of a silo: a node's, with agent and lease, or a controller's, with failover. Its grains, and all that
/// failover consists of, are the real ones.
/// </summary>
internal sealed class SimSilo : INodeDirectory
{
    private readonly SimCluster _cluster;
    private readonly HashSet<SimPendingCall> _pending = [];
    private readonly Dictionary<Type, object> _services = [];

    public SimSilo(SimCluster cluster, SimMachine machine, string name, int incarnation)
    {
        (_cluster, Name, Incarnation) = (cluster, name, incarnation);
        Process = new SimProcess(cluster.Simulator, machine, $"{name}/{incarnation}");
        Process.Killed = () =>
        {
            foreach (var call in _pending.ToList())
            {
                call.Forget();
            }
        };
        Factory = new SimGrainFactory(this, cluster.Directory);
        Services = Stub.Of<IServiceProvider>(new() { [nameof(IServiceProvider.GetService)] = (_, arguments) => Find((Type)arguments[0]!) });
        var volumes = new SimRecordStore<VolumeRecord>(cluster.Network, Process, cluster.Api.Volumes);
        Add<IRecordStore<VolumeRecord>>(volumes);
        Add<IRecordStore<NodeRecord>>(new SimRecordStore<NodeRecord>(cluster.Network, Process, cluster.Api.Ledgers));
        Add<INodeExecutor>(new SimExecutor(this));
        Add<INodeDirectory>(this);
        Add<ICrashPoints>(new SimCrashPoints(cluster, this));
        Add<ICarinaConfigSource>(cluster.Config);
        Add<IVolumeEvents>(Stub.Of<IVolumeEvents>(new() { [nameof(IVolumeEvents.Report)] = (_, _) => null }));
        Add(Process.Time);
        Add(Factory.Orleans);
        Add<ILoggerFactory>(cluster.LoggersOf(Process));
        Volumes = new GrainVolumeMoves(Factory.Orleans, volumes, Get<INodeExecutor>(), cluster.Config, Process.Time);
    }

    public string Name { get; }

    public int Incarnation { get; }

    /// <summary>A controller's silo bears no node's name.</summary>
    public bool IsNode => !Name.Contains('/', StringComparison.Ordinal);

    public SimProcess Process { get; }

    public Simulator Simulator => Process.Simulator;

    public SimGrainFactory Factory { get; }

    public IServiceProvider Services { get; }

    /// <summary>The real one, over this silo's grains.</summary>
    public IVolumeMoves Volumes { get; }

    /// <summary>The silos that it takes for active.</summary>
    public IReadOnlyList<SimSilo> View { get; private set; } = [];

    public IReadOnlyCollection<string> LiveNodes => [.. View.Where(s => s.IsNode).Select(s => s.Name).Distinct(StringComparer.Ordinal)];

    /// <summary>A node's silo has these.</summary>
    public SimAgent? Agent { get; init; }

    public SimLeaseKeeper? Keeper { get; set; }

    public SimVolumeGuards? Guards { get; set; }

    public bool Sees(SimSilo other) => View.Contains(other);

    public SimSilo? FindAgent(string node) => View.LastOrDefault(s => s.Name == node);

    public T Get<T>() => (T)_services[typeof(T)];

    /// <summary>What it learns of the others: calls of those that are gone end, and one that is dead itself stops.</summary>
    public void TakeView(IReadOnlyList<SimSilo> active)
    {
        if (ReferenceEquals(View, active))
        {
            return;
        }

        View = active;
        if (!active.Contains(this))
        {
            Process.Kill();
            return;
        }

        foreach (var call in _pending.Where(c => !active.Contains(c.To)).ToList())
        {
            call.Forget();
        }
    }

    /// <summary>A call of another silo, or of this one itself.</summary>
    public async Task<T> CallAsync<T>(
        SimSilo to, TimeSpan limit, Func<CancellationToken, Task<T>> work, CancellationToken cancellationToken)
    {
        var call = new SimCall<T>(Process, limit, () => new TimeoutException($"{to.Name} did not answer in time."), cancellationToken);
        _cluster.Network.Call(Process, to.Process, work, call, cancellationToken);
        var pending = new SimPendingCall(to, () => call.Abandon(new SiloUnavailableException($"{to.Name} is gone.")));
        _pending.Add(pending);
        try
        {
            return await call.Task;
        }
        finally
        {
            _pending.Remove(pending);
        }
    }

    private void Add<T>(T service)
        where T : notnull => _services[typeof(T)] = service;

    private object? Find(Type type)
    {
        if (_services.TryGetValue(type, out var found))
        {
            return found;
        }

        return type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ILogger<>)
            ? _services[type] = Activator.CreateInstance(typeof(Logger<>).MakeGenericType(type.GetGenericArguments()), Get<ILoggerFactory>())!
            : null;
    }

    private sealed record SimPendingCall(SimSilo To, Action Forget);
}

/// <summary>Where a silo can be killed.</summary>
internal sealed class SimCrashPoints(SimCluster cluster, SimSilo silo) : ICrashPoints
{
    public void Reached(string point, string volumeId)
    {
        cluster.Simulator.Log($"{silo.Process.Name} reaches {point} of {volumeId}");
        if (silo.Process.IsAlive && cluster.CrashAt(silo, point, volumeId))
        {
            silo.Process.Kill();
        }

        if (!silo.Process.IsAlive)
        {
            throw new SimCrashException();
        }
    }
}

/// <summary>The real executor's rules: membership is asked first, and silence is told from refusal.</summary>
internal sealed class SimExecutor(SimSilo silo) : INodeExecutor
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan _fencePatience = TimeSpan.FromSeconds(30);

    public Task<DiskVolume> CreateAsync(string node, DiskVolumeKey key, long bytes, CancellationToken cancellationToken) =>
        CallAsync(node, key, _patience, (agent, stop) => agent.CreateAsync(key, bytes, stop), cancellationToken);

    public Task DeleteAsync(string node, DiskVolumeKey key, CancellationToken cancellationToken) =>
        CallAsync(node, key, _patience, (agent, stop) => agent.DeleteAsync(key, stop), cancellationToken);

    public Task FenceAsync(string node, DiskVolumeKey key, string reason, CancellationToken cancellationToken) =>
        CallAsync(node, key, _fencePatience, (agent, stop) => agent.FenceAsync(key, stop), cancellationToken);

    public Task LiftFenceAsync(string node, DiskVolumeKey key, CancellationToken cancellationToken) =>
        CallAsync(node, key, _patience, (agent, _) => agent.LiftAsync(key), cancellationToken);

    public Task<DiskVolume> RenameAsync(string node, DiskVolumeKey from, DiskVolumeKey to, CancellationToken cancellationToken) =>
        CallAsync(node, from, _patience, (agent, stop) => agent.RenameAsync(from, to, stop), cancellationToken);

    public Task<CopyProgress> CopyAsync(string node, CopyOrder order, CancellationToken cancellationToken) =>
        CallAsync(node, order.From, _fencePatience, (agent, stop) => agent.Copier.CopyAsync(order, stop), cancellationToken);

    public Task<DiskVolume> ExpandAsync(string node, DiskVolumeKey key, long bytes, CancellationToken cancellationToken) =>
        CallAsync(node, key, _patience, (agent, stop) => agent.ExpandAsync(key, bytes, stop), cancellationToken);

    public Task<DiskVolume> AdoptAsync(string node, DiskVolumeKey key, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public Task TuneAsync(
        string node, DiskVolumeKey key, Dictionary<string, string> mutableParameters, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    private async Task<T> CallAsync<T>(
        string node, DiskVolumeKey key, TimeSpan limit, Func<SimAgent, CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        var to = silo.FindAgent(node) ?? throw Unreachable(null);
        try
        {
            return await silo.CallAsync(to, limit, stop => call(to.Agent!, stop), cancellationToken);
        }
        catch (Exception exception) when (exception is SiloUnavailableException or TimeoutException)
        {
            throw Unreachable(exception);
        }

        StorageException Unreachable(Exception? cause) =>
            new(StorageErrorCode.Unavailable, $"Volume '{key.VolumeId}': the agent of node '{node}' does not answer. Try again.", cause);
    }
}
