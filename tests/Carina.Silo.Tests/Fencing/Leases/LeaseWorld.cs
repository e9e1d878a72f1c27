using System.Collections.Concurrent;
using System.Net;
using Carina.Grains.Agents;
using Carina.Grains.Errors;
using Carina.Grains.Nodes;
using Carina.Silo.Fencing;
using Carina.Silo.Fencing.Guard;
using Carina.Silo.Fencing.Leases;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Carina.Silo.Tests.Fencing.Leases;

/// <summary>A keeper whose clock, API server, neighbours and fence are the test's.</summary>
internal sealed class LeaseWorld : INodeLeases, ILeaseHelpers, IVolumeFence, INodeDirectory, ILeaseClock, ILocalSiloDetails, IAsyncDisposable
{
    public const string Node = "node-a";

    private static readonly TimeSpan _step = TimeSpan.FromMilliseconds(250);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("carina-lease-");
    private readonly DateTimeOffset _start;
    private TimeSpan _suspended;

    public LeaseWorld(bool isGuarded = true)
    {
        _start = Time.GetUtcNow();
        Fenced = new FencedVolumes(Path.Combine(_directory.FullName, "fenced/a.json"), Time);
        Guarded = new GuardedVolumes(GuardFile);
        IsGuardedAtFirst = isGuarded;
    }

    public static DiskVolumeKey Key { get; } = new("volume-1", "carina-vg-ssd", 1);

    public FakeTimeProvider Time { get; } = new();

    public FencedVolumes Fenced { get; }

    public GuardedVolumes Guarded { get; }

    public string GuardFile => Path.Combine(_directory.FullName, "guarded/a.json");

    public NodeLeaseKeeper Keeper { get; private set; } = null!;

    public NodeLeaseOptions Options { get; } = new();

    /// <summary>What the guard process is told.</summary>
    public DeadlineFile DeadlineFile => new(Path.Combine(_directory.FullName, "run/lease.json"));

    /// <summary>Is called before the API server gets a renewal.</summary>
    public Action<NodeLeaseRenewal> BeforeRenewal { get; set; } = _ => { };

    /// <summary>Whether this node's requests are answered.</summary>
    public bool IsApiThere { get; set; } = true;

    /// <summary>What happened, in order, and when by the keeper's clock.</summary>
    public ConcurrentQueue<(string What, TimeSpan At)> Log { get; } = new();

    public ConcurrentQueue<NodeLeaseRenewal> Renewals { get; } = new();

    public List<LeaseHelper> Helpers { get; } = [];

    public IReadOnlyList<LeaseHelper> Others => Helpers;

    public List<string> Nodes { get; } = [Node];

    public IReadOnlyCollection<string> LiveNodes => Nodes;

    public TimeSpan Elapsed => Time.GetUtcNow() - _start + _suspended;

    public string Name => Node;

    public string ClusterId => "test";

    public string DnsHostName => "localhost";

    public SiloAddress SiloAddress { get; } = SiloAddress.New(new IPEndPoint(IPAddress.Loopback, 11111), 1);

    public SiloAddress GatewayAddress => SiloAddress;

    private bool IsGuardedAtFirst { get; }

    public IEnumerable<TimeSpan> TimesOf(string what) => Log.Where(entry => entry.What == what).Select(entry => entry.At);

    /// <summary>Another silo; its answer, or null for none.</summary>
    public void AddHelper(string name, Func<LeaseRenewalOutcome?> answer)
    {
        var isNode = !name.StartsWith("controller/", StringComparison.Ordinal);
        if (isNode)
            Nodes.Add(name);

        Helpers.Add(new(name, isNode, async (_, stop) =>
        {
            Log.Enqueue(("asked " + name, Elapsed));
            if (answer() is { } outcome)
                return outcome;

            await Task.Delay(Timeout.InfiniteTimeSpan, Time, stop);
            throw new InvalidOperationException();
        }));
    }

    public DeadlineWitness Witness => field ??= new(DeadlineFile, this, NullLogger<DeadlineWitness>.Instance);

    public GuardFiles GuardFiles => new(Path.Combine(_directory.FullName, "run"));

    public GuardSight Sight => new(GuardFiles, DeadlineFile, this);

    public async Task StartAsync()
    {
        if (IsGuardedAtFirst)
            await Guarded.AddAsync(Key, default);

        Keeper = new NodeLeaseKeeper(
            Guarded, Fenced, this, this, this, this, this, this,
            Microsoft.Extensions.Options.Options.Create(new SiloOptions { NodeName = Node }),
            Microsoft.Extensions.Options.Options.Create(Options),
            Time, NullLogger<NodeLeaseKeeper>.Instance, Witness, Sight);
        await Keeper.StartAsync(default);
        await SettleAsync();
    }

    /// <summary>Lets time pass, in small steps.</summary>
    public async Task PassAsync(double seconds)
    {
        for (var left = TimeSpan.FromSeconds(seconds); left > TimeSpan.Zero; left -= _step)
        {
            Time.Advance(_step);
            await SettleAsync();
        }
    }

    /// <summary>The machine sleeps: no timer runs, the clock does.</summary>
    public void Suspend(double seconds) => _suspended += TimeSpan.FromSeconds(seconds);

    public async Task RenewAsync(NodeLeaseRenewal renewal, CancellationToken cancellationToken)
    {
        await Task.Yield();
        BeforeRenewal(renewal);
        Log.Enqueue((IsApiThere ? "renewed" : "tried", Elapsed));
        if (!IsApiThere)
            throw new StorageException(StorageErrorCode.Unavailable, "The API server did not answer.");

        Renewals.Enqueue(renewal);
    }

    public Task<LeaseRenewalOutcome> RenewForAsync(NodeLeaseRenewal renewal, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public Task<DateTimeOffset?> FindLastAsync(string nodeName, CancellationToken cancellationToken) =>
        Task.FromResult<DateTimeOffset?>(null);

    public Task FenceAsync(DiskVolumeKey key, string reason, CancellationToken cancellationToken)
    {
        Log.Enqueue(("fenced", Elapsed));
        Fenced.Add(key, reason);
        Fenced.Confirm(key);
        return Task.CompletedTask;
    }

    public Task LiftAsync(DiskVolumeKey key, CancellationToken cancellationToken) => throw new NotSupportedException();

    public async ValueTask DisposeAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        await Keeper.StopAsync(limit.Token);
        Keeper.Dispose();
        _directory.Delete(recursive: true);
    }

    // What became due runs on the thread pool.
    private static Task SettleAsync() => Task.Delay(15);
}
