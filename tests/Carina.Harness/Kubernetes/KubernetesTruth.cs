using Carina.Grains;
using Carina.Harness.Cluster;

namespace Carina.Harness.Kubernetes;

/// <summary>An API server with the driver's own resources and a Node object for every node: where truth is kept.</summary>
public sealed class KubernetesTruth : IAsyncDisposable
{
    public const string Namespace = "kube-system";

    private static readonly string _chart = Path.Combine(BuiltAssemblies.Root, "charts/carina-csi-driver");
    private static readonly string _resources = Path.Combine(_chart, "crds");
    private FakeNodes? _nodes;
    private KubernetesStore? _store;

    private KubernetesTruth(ControlPlane plane) => Plane = plane;

    public ControlPlane Plane { get; }

    /// <summary>The Node objects, and what kubelet keeps up beside them.</summary>
    public FakeNodes Nodes => _nodes ?? throw new InvalidOperationException("The nodes are not made.");

    /// <param name="nodes">The nodes.</param>
    /// <param name="alive">With controllers and a scheduler, for which the nodes keep up their leases.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    /// <param name="cable">A node that reaches the API server by a cable of its own.</param>
    public static async Task<KubernetesTruth> StartAsync(
        IReadOnlyList<NodeSpec> nodes, bool alive, CancellationToken cancellationToken, NodeCable? cable = null)
    {
        var truth = new KubernetesTruth(await ControlPlane.StartAsync(
            new() { ControllerManager = alive, Scheduler = alive, MoreAddresses = cable is null ? [] : [cable.Api] }, cancellationToken));
        try
        {
            await truth.Plane.ApplyAsync(_resources);
            foreach (var file in Directory.EnumerateFiles(_resources))
            {
                await truth.Plane.KubectlAsync("wait", "--for=condition=Established", "--timeout=60s", "--filename", file);
            }

            truth._nodes = new(truth.Plane.Admin);
            foreach (var node in nodes)
            {
                await truth._nodes.AddAsync(Describe(node.Name, alive), cancellationToken);
            }

            truth._store = await truth.MakeAccountsAsync(cable, cancellationToken);
            return truth;
        }
        catch
        {
            await truth.DisposeAsync();
            throw;
        }
    }

    /// <summary>For processes that act as the chart's service accounts and have the chart's rights, no more.</summary>
    public KubernetesStore Store => _store ?? throw new InvalidOperationException("The service accounts are not made.");

    /// <summary>Makes the Node object of a node anew.</summary>
    public Task AddNodeAsync(string name, CancellationToken cancellationToken) => Nodes.AddAsync(Describe(name, alive: true), cancellationToken);

    private static FakeNode Describe(string name, bool alive) => alive
        ? new(name)
        {
            Labels = new Dictionary<string, string> { [CarinaNames.TopologyKey] = name },
            Drivers = [new() { Name = CarinaNames.Driver, NodeID = name, TopologyKeys = [CarinaNames.TopologyKey] }],
        }
        : new(name) { RenewsLease = false };

    private async Task<KubernetesStore> MakeAccountsAsync(NodeCable? cable, CancellationToken cancellationToken)
    {
        string[] parts = ["node/account", "node/rbac", "controller/account", "controller/rbac", "driver/events"];
        var manifest = Path.Combine(Plane.Directory, "accounts.yaml");
        await File.WriteAllTextAsync(
            manifest,
            await Plane.HelmAsync(
            [
                "template", "carina-csi-driver", _chart, "--namespace", Namespace,
                .. parts.SelectMany(part => new[] { "--show-only", $"templates/{part}.yaml" }),
            ]),
            cancellationToken);
        await Plane.ApplyAsync(manifest);
        return new(
            await Plane.ServiceAccountKubeconfigAsync(Namespace, "carina-csi-controller", cancellationToken),
            await Plane.ServiceAccountKubeconfigAsync(Namespace, "carina-csi-node", cancellationToken),
            Namespace)
        {
            OwnKubeconfigs = cable is null ? new() : new Dictionary<string, string>
            {
                [cable.NodeName] = await Plane.ServiceAccountKubeconfigAsync(Namespace, "carina-csi-node", cancellationToken, cable.Api),
            },
        };
    }

    public async ValueTask DisposeAsync()
    {
        if (_nodes is not null)
        {
            await _nodes.DisposeAsync();
        }

        if (await Plane.RemoveAsync() is { Count: > 0 } problems)
        {
            throw new HarnessException(string.Join('\n', problems));
        }
    }
}
