using System.Collections.Concurrent;
using Carina.Grains;
using Carina.Grains.Agents;
using Carina.Grains.Configuration;
using Carina.Grains.Events;
using Carina.Grains.Nodes;
using Carina.Grains.Placement;
using Carina.Grains.Storage;
using Carina.Grains.Volumes;
using Microsoft.Extensions.DependencyInjection;
using Orleans.TestingHost;

namespace Carina.Webhook.Tests.Scheduling.Lab;

/// <summary>The real grains (ledgers, volumes, placement) in one silo; disks are played.</summary>
internal sealed class StorageCluster : IAsyncDisposable
{
    public const long GiB = 1L << 30;
    private readonly InProcessTestCluster _cluster;
    private readonly Directory _directory = new();
    private long _reports;

    private StorageCluster()
    {
        var builder = new InProcessTestClusterBuilder(1);
        builder.ConfigureSilo((_, silo) => silo.Services
            .AddSingleton<IRecordStore<NodeRecord>>(new MemoryRecordStore<NodeRecord>())
            .AddSingleton<IRecordStore<VolumeRecord>>(new MemoryRecordStore<VolumeRecord>())
            .AddSingleton<INodeDirectory>(_directory)
            .AddSingleton<INodeExecutor, PlayedDisks>()
            .AddSingleton<ICrashPoints, NoCrashPoints>()
            .AddSingleton<IVolumeEvents, LoggedVolumeEvents>()
            .AddSingleton<ICarinaConfigSource>(Config)
            .AddSingleton(TimeProvider.System));
        _cluster = builder.Build();
    }

    public SwitchedConfig Config { get; } = new();

    public IGrainFactory Grains => _cluster.Client;

    public static async Task<StorageCluster> StartAsync()
    {
        var cluster = new StorageCluster();
        await cluster._cluster.DeployAsync();
        return cluster;
    }

    /// <summary>What the agent of a node reports: its pools with what is in them.</summary>
    public async Task AddNodeAsync(string name, params (string Pool, long GiB)[] pools)
    {
        await Grains.GetGrain<INodeGrain>(name).ReportAsync(
            new()
            {
                NodeName = name,
                Incarnation = 1,
                Sequence = Interlocked.Increment(ref _reports),
                Labels = new() { [CarinaNames.TopologyKey] = name },
                Pools =
                [
                    .. pools.Select(p => new PoolReport
                    {
                        Name = p.Pool,
                        Policy = PoolPolicy.Lvm,
                        SizeBytes = (p.GiB + 10) * GiB,
                        ForeignBytes = 0,
                        ReserveBytes = 10 * GiB,
                        GranularityBytes = 4L << 20,
                    }),
                ],
            },
            CancellationToken.None);
        _directory.Nodes[name] = 0;
    }

    public void RemoveNode(string name) => _directory.Nodes.TryRemove(name, out _);

    public Task<IReadOnlyList<NodeCapacity>> GetNodesAsync() =>
        Grains.GetGrain<IPlacementGrain>(0).GetNodesAsync(CancellationToken.None);

    public async ValueTask DisposeAsync() => await _cluster.DisposeAsync();

    private sealed class Directory : INodeDirectory
    {
        public ConcurrentDictionary<string, byte> Nodes { get; } = new();

        public IReadOnlyCollection<string> LiveNodes => [.. Nodes.Keys];
    }

    /// <summary>Disks on which everything that was promised can be made.</summary>
    private sealed class PlayedDisks : INodeExecutor
    {
        public Task<DiskVolume> CreateAsync(string node, DiskVolumeKey key, long bytes, CancellationToken cancellationToken) =>
            Task.FromResult(new DiskVolume { Key = key, Bytes = bytes, DevicePath = $"/dev/{key.Pool}/{key.VolumeId}" });

        public Task<DiskVolume> ExpandAsync(string node, DiskVolumeKey key, long bytes, CancellationToken cancellationToken) =>
            CreateAsync(node, key, bytes, cancellationToken);

        public Task DeleteAsync(string node, DiskVolumeKey key, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task TuneAsync(
            string node, DiskVolumeKey key, Dictionary<string, string> mutableParameters, CancellationToken cancellationToken) =>
            Task.CompletedTask;

        public Task<DiskVolume> AdoptAsync(string node, DiskVolumeKey key, CancellationToken cancellationToken) =>
            throw new NotSupportedException("These disks have no volumes of earlier releases.");

        public Task<CopyProgress> CopyAsync(string node, CopyOrder order, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public Task<DiskVolume> RenameAsync(
            string node, DiskVolumeKey from, DiskVolumeKey to, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public Task FenceAsync(string node, DiskVolumeKey key, string reason, CancellationToken cancellationToken) =>
            throw new NotSupportedException("Nobody writes to these disks.");

        public Task LiftFenceAsync(string node, DiskVolumeKey key, CancellationToken cancellationToken) =>
            throw new NotSupportedException("Nobody writes to these disks.");
    }
}

/// <summary>A configuration whose strategy tests change.</summary>
internal sealed class SwitchedConfig : ICarinaConfigSource
{
    public CarinaConfig Current { get; private set; } = CarinaConfig.Empty;

    public SchedulerStrategy Strategy
    {
        set => Current = Current with { Strategy = value };
    }

    public IDisposable OnChange(Action<CarinaConfig> listener) =>
        throw new NotSupportedException("Strategies are read when they are needed.");
}
