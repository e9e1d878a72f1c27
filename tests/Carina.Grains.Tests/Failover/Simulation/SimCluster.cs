using Carina.Grains.Configuration;
using Carina.Grains.Failover;
using Carina.Grains.Tests.Failover.Simulation.Cluster;
using Carina.Grains.Tests.Failover.Simulation.Engine;
using Carina.Grains.Tests.Failover.Simulation.Node;
using Carina.Grains.Tests.Failover.Simulation.Runtime;
using Carina.Grains.Volumes;
using Microsoft.Extensions.Logging;

namespace Carina.Grains.Tests.Failover.Simulation;

/// <summary>What a simulated cluster is like.</summary>
internal sealed record SimShape
{
    public required int Nodes { get; init; }

    /// <summary>Pods, and the names of their claims.</summary>
    public required IReadOnlyList<SimApp> Apps { get; init; }

    public FailoverOptions Failover { get; init; } = new() { Cooldown = TimeSpan.FromSeconds(10) };

    public SimMutation Mutation { get; init; }

    public long DiskBytes { get; init; } = 200;

    /// <summary>All clocks run alike and show the right time.</summary>
    public bool HasExactClocks { get; init; }

    public bool IsVerbose { get; init; }

    public static SimApp App(string name, bool optedIn, params string[] claims) => new(name, optedIn, claims);
}

/// <summary>
/// A cluster in a simulation: machines with kubelets, silos and guard processes, two controllers, an API server, and the
/// real coordinator, moves, volume grains, ledgers and placement running on them.
/// </summary>
internal sealed partial class SimCluster
{
    public const long VolumeBytes = 10;

    private const int Controllers = 2;
    private static readonly TimeSpan _restart = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, SimSilo> _silos = [];
    private readonly Dictionary<string, SimKubelet> _kubelets = [];
    private readonly HashSet<string> _starting = [];
    private readonly SimShape _shape;
    private int _incarnation;
    private int _controllers;

    public SimCluster(int seed, SimShape shape)
    {
        _shape = shape;
        Simulator = new Simulator(seed) { IsVerbose = shape.IsVerbose };
        Network = new SimNetwork(Simulator);
        Api = new SimApi(Simulator);
        Membership = new SimMembership(Simulator, Network);
        Options = shape.Mutation == SimMutation.NegativeMargin
            ? shape.Failover with { LeaseMargin = TimeSpan.FromSeconds(-14) }
            : shape.Failover;
        Config = Stub.Of<ICarinaConfigSource>(new()
        {
            ["get_Current"] = (_, _) => CarinaConfig.Empty with { Failover = Options },
        });
        Api.Volumes.IgnoresVersions = Api.Ledgers.IgnoresVersions = Mutation == SimMutation.NoVersions;
        Machines =
        [
            .. Enumerable.Range(1, shape.Nodes).Select(i => new SimMachine(Simulator, $"node-{i}")
            {
                DiskBytes = shape.DiskBytes,
                ClockRate = shape.HasExactClocks ? 1 : 1 + ((Simulator.Random.NextDouble() - 0.5) * 0.02),
                WallOffset = shape.HasExactClocks ? TimeSpan.Zero : Simulator.Between(-30, 30),
                ClockStopsWhenFrozen = Mutation == SimMutation.ClockStopsWhenFrozen,
            }),
        ];
        Checks = new SimChecks(this);
        _loggers = new SimLoggers(this);
    }

    public Simulator Simulator { get; }

    public SimNetwork Network { get; }

    public SimApi Api { get; }

    public SimMembership Membership { get; }

    public SimDirectory Directory { get; } = new();

    public ICarinaConfigSource Config { get; }

    public FailoverOptions Options { get; set; }

    public SimMutation Mutation => _shape.Mutation;

    public List<SimMachine> Machines { get; }

    public IReadOnlyList<SimApp> Apps => _shape.Apps;

    public SimChecks Checks { get; }

    /// <summary>Until when agents hang, by node.</summary>
    public Dictionary<string, TimeSpan> HangsUntil { get; } = [];

    /// <summary>Share of parts that cannot be copied.</summary>
    public double CopyFailures { get; set; }

    /// <summary>What was copied exactly, by move and volume; for mutations.</summary>
    public HashSet<string> Copied { get; } = [];

    public List<FailoverNotice> Notices { get; } = [];

    /// <summary>Whether a silo dies at a point.</summary>
    public Func<SimSilo, string, string, bool> CrashAt { get; set; } = (_, _, _) => false;

    public IEnumerable<VolumeRecord> Records => Api.Volumes.Records.Values.Select(r => r.Value);

    /// <summary>Starts everything and makes the volumes, the way it is done in a cluster.</summary>
    public void Start()
    {
        foreach (var claim in Apps.SelectMany(a => a.Claims).Distinct(StringComparer.Ordinal))
        {
            Api.Claims.Add(claim, new(claim, Api.NextUid(), $"pv-{claim}"));
        }

        Membership.Start();
        new SimControlPlane(this).Start();
        foreach (var machine in Machines)
        {
            Boot(machine);
        }

        Simulator.Every(_restart, KeepRunning);
        Simulator.RunUntil(
            () => Api.Ledgers.Records.Count == Machines.Count && ControllerSilos.Count > 0 && Machines.All(m => ControllerSilos.All(c => c.LiveNodes.Contains(m.Name))),
            TimeSpan.FromMinutes(1));
        // Pods that share a claim are on one node.
        var homes = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var app in Apps)
        {
            var home = app.Claims.Select(homes.GetValueOrDefault).FirstOrDefault(h => h is not null) ?? Simulator.Pick(Machines).Name;
            foreach (var claim in app.Claims)
            {
                homes[claim] = home;
                Provision(claim, home);
            }
        }

        if (!Simulator.RunUntil(IsCalm, TimeSpan.FromMinutes(3)))
        {
            Simulator.Fail($"The cluster does not start: {Unrest()}");
        }
    }

    /// <summary>An operator annotates a volume.</summary>
    public void Ask(string volumeId, VolumeRequestKind kind, string value)
    {
        Simulator.Log($"{kind} {value} of {volumeId} is asked for");
        Checks.Contents.Ask(volumeId, kind, value);
        Api.Requests[SimApi.RequestKey(volumeId, kind)] = new(volumeId, kind, $"carina.storage.io/{kind}", value);
    }

    public static string VolumeOf(string claim) => VolumeIds.FromName($"pv-{claim}");

    public SimSilo? SiloOf(SimMachine machine) =>
        _silos.TryGetValue(machine.Name, out var silo) && silo.Process.IsAlive && silo.View.Count > 0 ? silo : null;

    public VolumeRecord RecordOf(string claim) => Api.Volumes.Records[VolumeOf(claim)].Value;

    public SimMachine MachineOf(string name) => Machines.First(m => m.Name == name);

    public SimMachine HolderOf(string claim) => MachineOf(RecordOf(claim).NodeName);

    public void Boot(SimMachine machine)
    {
        StartKubelet(machine);
        new SimGuard(this, machine).Start();
    }

    public void StartKubelet(SimMachine machine)
    {
        if (!_kubelets.TryGetValue(machine.Name, out var kubelet) || !kubelet.Process.IsAlive)
        {
            _kubelets[machine.Name] = new(this, machine);
        }
    }

    public void StopKubelet(SimMachine machine) => _kubelets[machine.Name].Process.Kill();

    public void RestartKubelet(SimMachine machine)
    {
        StopKubelet(machine);
        StartKubelet(machine);
    }

    /// <summary>The node's silo, also one that has not joined yet.</summary>
    public SimSilo? ProcessOf(string name) => _silos.TryGetValue(name, out var silo) && silo.Process.IsAlive ? silo : null;

    public void StartContainer(SimMachine machine, SimPod pod, IReadOnlyList<Agents.DiskVolumeKey> volumes)
    {
        Simulator.Log($"{machine.Name} runs pod {pod.Name} ({pod.Uid}) on {string.Join('+', volumes.Select(v => $"{v.VolumeId}#{v.Generation}"))}");
        var container = new SimContainer(pod.Uid, volumes);
        container.Dead.UnionWith(volumes.Where(machine.Cut.Contains));
        machine.Containers[pod.Uid] = container;
        Checks.Write(machine, container);
    }

    public ILoggerFactory LoggersOf(SimProcess process) => _loggers.Of(process);

    private readonly SimLoggers _loggers;

    /// <summary>What a living kubelet does for the driver's containers, and a Deployment for its pods.</summary>
    private void KeepRunning()
    {
        foreach (var machine in Machines.Where(m => m.IsRunning && _kubelets[m.Name].Process.IsAlive && ProcessOf(m.Name) is null))
        {
            StartSoon(machine, machine.Name);
        }

        var alive = _silos.Values.Where(s => !s.IsNode && s.Process.IsAlive && (IsReady(s.Process.Machine) || s.Process.Machine.IsRunning)).ToList();
        var sites = Machines.Where(m => m.IsRunning && IsReady(m) && !alive.Any(s => s.Process.Machine == m) && Network.HasApi(m)).ToList();
        if (alive.Count + _starting.Count(s => s.Contains('/', StringComparison.Ordinal)) < Controllers && sites.Count > 0)
        {
            StartSoon(Simulator.Pick(sites), $"controller/{++_controllers}");
        }
    }

    private bool IsReady(SimMachine machine) => Api.Nodes.GetValueOrDefault(machine.Name)?.IsReady == true;

    private void StartSoon(SimMachine machine, string name)
    {
        if (_starting.Add(name))
        {
            Simulator.After(Simulator.Between(0.5, 3), () =>
            {
                _starting.Remove(name);
                if (machine.IsRunning && ProcessOf(name) is null)
                {
                    StartSilo(machine, name);
                }
            });
        }
    }

    private void StartSilo(SimMachine machine, string name)
    {
        SimSilo silo = null!;
        var isNode = !name.Contains('/', StringComparison.Ordinal);
        silo = new SimSilo(this, machine, name, ++_incarnation) { Agent = isNode ? new(this, machine, () => silo) : null };
        _silos[name] = silo;
        if (isNode)
        {
            silo.Keeper = new(this, silo);
            silo.Guards = new(this, silo);
        }

        silo.Process.Start(async () =>
        {
            while (true)
            {
                try
                {
                    await Network.AskApiAsync(silo.Process, () => silo.View.Count > 0 || Membership.Join(silo), CancellationToken.None);
                    break;
                }
                catch (Errors.StorageException)
                {
                    await silo.Process.Delay(TimeSpan.FromSeconds(1));
                }
            }

            if (isNode)
            {
                _ = silo.Agent!.ReportAsync();
            }
            else
            {
                _ = KeepCoordinatorAsync(silo);
            }
        });
        if (isNode)
        {
            // The lease does not wait for the cluster.
            silo.Keeper!.Start();
            silo.Process.Start(silo.Guards!.WatchReturnsAsync);
        }
    }

    private void Provision(string claim, string node)
    {
        if (Api.PersistentVolumes.ContainsKey($"pv-{claim}"))
        {
            return;
        }

        var silo = ControllerSilos[0];
        VolumeRecord? made = null;
        silo.Process.Start(async () => made = await silo.Factory.Get<IVolumeGrain>(VolumeOf(claim)).CreateAsync(
            new()
            {
                Name = $"pv-{claim}",
                RequiredBytes = VolumeBytes,
                LimitBytes = 0,
                Access = VolumeAccess.FileSystem,
                FileSystem = "ext4",
                Pool = SimMachine.Pool,
                Parameters = new() { [CarinaNames.ClaimName] = claim, [CarinaNames.DiskGroup] = SimMachine.Pool },
                MutableParameters = [],
                Requisite = [new() { [CarinaNames.TopologyKey] = node }],
                Preferred = [],
            },
            CancellationToken.None));
        if (!Simulator.RunUntil(() => made is not null, TimeSpan.FromMinutes(1)))
        {
            Simulator.Fail($"The volume of claim {claim} cannot be made on {node}.");
        }

        var owner = Api.Claims[claim];
        Api.PersistentVolumes.Add($"pv-{claim}", new($"pv-{claim}", VolumeOf(claim), node, claim, owner.Uid, Api.NextUid()));
    }
}
