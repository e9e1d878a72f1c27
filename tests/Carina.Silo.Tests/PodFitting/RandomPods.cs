using k8s.Models;

namespace Carina.Silo.Tests.PodFitting;

/// <summary>Pods with constraints of every kind that Kubernetes 1.20 has; the same ones for the same seed.</summary>
internal sealed class RandomPods(Random random, IReadOnlyList<string> namespaces)
{
    public const string Gpu = "example.com/gpu";
    public const string Zone = "zone";
    public const string Rack = "rack";
    public const string Disk = "disk";
    public const string Generation = "generation";
    public const string Host = "kubernetes.io/hostname";

    private static readonly string[] _apps = ["a", "b", "c"];
    private static readonly string[] _tiers = ["x", "y"];

    public V1Pod Next(string name)
    {
        // Most pods want something of their like, as in life.
        var labels = new Dictionary<string, string> { ["app"] = Pick(_apps), ["tier"] = Pick(_tiers) };
        var spec = new V1PodSpec
        {
            TerminationGracePeriodSeconds = 600,
            Containers = [Container("main", Chance(15) ? Ports() : null)],
            InitContainers = Chance(20) ? [Container("init", null)] : null,
            NodeSelector = Chance(10) ? new Dictionary<string, string> { [Disk] = Pick("ssd", "hdd") } : null,
            Tolerations = Chance(70) ? [.. Enumerable.Range(0, random.Next(1, 3)).Select(_ => Toleration())] : null,
            TopologySpreadConstraints = Chance(35) ? Spread(labels) : null,
            Affinity = new()
            {
                NodeAffinity = Chance(25) ? NodeAffinity() : null,
                PodAffinity = Chance(25) ? new() { RequiredDuringSchedulingIgnoredDuringExecution = Terms(labels) } : null,
                PodAntiAffinity = Chance(25) ? new() { RequiredDuringSchedulingIgnoredDuringExecution = Terms(labels) } : null,
            },
        };
        if (spec.TopologySpreadConstraints is not null)
        {
            // Old schedulers also count pods on nodes that the pod cannot go to, if others of the domain are open to it.
            (spec.NodeSelector, spec.Affinity.NodeAffinity) = (null, null);
        }

        return new()
        {
            Metadata = new()
            {
                Name = name,
                NamespaceProperty = Pick([.. namespaces]),
                Labels = labels,
            },
            Spec = spec,
        };
    }

    public bool Chance(int percent) => random.Next(100) < percent;

    public T Pick<T>(params IReadOnlyList<T> values) => values[random.Next(values.Count)];

    private V1Container Container(string name, IList<V1ContainerPort>? ports)
    {
        Dictionary<string, ResourceQuantity> requests = [];
        Dictionary<string, ResourceQuantity> limits = [];
        if (Chance(70))
        {
            requests["cpu"] = new(Pick("100m", "0.25", "1", "1500m"));
        }

        if (Chance(50))
        {
            requests["memory"] = new(Pick("64Mi", "1Gi", "1.5Gi", "2e9"));
        }

        if (Chance(20))
        {
            requests["ephemeral-storage"] = new(Pick("1Gi", "4G"));
        }

        if (Chance(15))
        {
            requests[Gpu] = limits[Gpu] = new(Pick("1", "2"));
        }

        return new() { Name = name, Image = "none", Ports = ports, Resources = new() { Requests = requests, Limits = limits } };
    }

    private List<V1ContainerPort> Ports() =>
    [
        new()
        {
            ContainerPort = 80,
            HostPort = Pick(8080, 8081),
            Protocol = Pick("TCP", "TCP", "UDP"),
            HostIP = Pick<string?>(null, "0.0.0.0", "127.0.0.1", "10.1.1.1"),
        },
    ];

    private V1Toleration Toleration() => random.Next(8) switch
    {
        0 or 6 or 7 => new() { OperatorProperty = "Exists" },
        1 => new() { Key = "node.kubernetes.io/unschedulable", OperatorProperty = "Exists", Effect = "NoSchedule" },
        2 => new() { Key = "team", OperatorProperty = "Exists" },
        3 => new() { Key = "team", OperatorProperty = "Equal", Value = Pick("red", "blue"), Effect = Pick("NoSchedule", "NoExecute") },
        4 => new() { Key = "team", Value = Pick("red", "blue") },
        _ => new() { OperatorProperty = "Exists", Effect = Pick("NoSchedule", "NoExecute") },
    };

    private V1NodeAffinity NodeAffinity() => new()
    {
        RequiredDuringSchedulingIgnoredDuringExecution = new()
        {
            NodeSelectorTerms = [.. Enumerable.Range(0, random.Next(1, 3)).Select(_ => NodeTerm())],
        },
    };

    private V1NodeSelectorTerm NodeTerm() => random.Next(10) switch
    {
        0 => new(),
        1 => new() { MatchFields = [new() { Key = "metadata.name", OperatorProperty = Pick("In", "NotIn"), Values = ["node-1"] }] },
        2 => new()
        {
            MatchFields = [new() { Key = "metadata.name", OperatorProperty = "NotIn", Values = ["node-2"] }],
            MatchExpressions = [NodeRequirement()],
        },
        _ => new() { MatchExpressions = [.. Enumerable.Range(0, random.Next(1, 3)).Select(_ => NodeRequirement())] },
    };

    private V1NodeSelectorRequirement NodeRequirement() => random.Next(6) switch
    {
        0 => new() { Key = Zone, OperatorProperty = "In", Values = ["z1", Pick("z2", "z3")] },
        1 => new() { Key = Zone, OperatorProperty = "NotIn", Values = [Pick("z1", "z2")] },
        2 => new() { Key = Rack, OperatorProperty = "Exists" },
        3 => new() { Key = Rack, OperatorProperty = "DoesNotExist" },
        4 => new() { Key = Generation, OperatorProperty = "Gt", Values = [Pick("1", "2", "10")] },
        _ => new() { Key = Generation, OperatorProperty = "Lt", Values = [Pick("3", "10")] },
    };

    private List<V1PodAffinityTerm> Terms(Dictionary<string, string> own) => [.. Enumerable.Range(0, random.Next(1, 3)).Select(_ => new V1PodAffinityTerm
    {
        TopologyKey = Pick(Zone, Zone, Rack, Host),
        Namespaces = Chance(30) ? [Pick([.. namespaces])] : null,
        LabelSelector = Chance(5) ? null : Selector(own),
    })];

    private List<V1TopologySpreadConstraint> Spread(Dictionary<string, string> own)
    {
        var keys = Chance(40) ? new[] { Zone, Host } : [Pick(Zone, Rack, Host)];
        return
        [
            .. keys.Select(k => new V1TopologySpreadConstraint
            {
                TopologyKey = k,
                MaxSkew = random.Next(1, 3),
                WhenUnsatisfiable = Chance(85) ? "DoNotSchedule" : "ScheduleAnyway",
                LabelSelector = Selector(own),
            }),
        ];
    }

    private V1LabelSelector Selector(Dictionary<string, string> own) => random.Next(8) switch
    {
        0 => new() { MatchLabels = new Dictionary<string, string> { ["tier"] = Pick(_tiers) } },
        1 => new() { MatchExpressions = [new() { Key = "app", OperatorProperty = "NotIn", Values = [Pick(_apps)] }] },
        2 => new() { MatchExpressions = [new() { Key = "app", OperatorProperty = "In", Values = ["a", "b"] }] },
        3 => new() { MatchExpressions = [new() { Key = "tier", OperatorProperty = Pick("Exists", "DoesNotExist") }] },
        4 => new() { MatchLabels = new Dictionary<string, string> { ["app"] = Pick(_apps) } },
        _ => new() { MatchLabels = new Dictionary<string, string> { ["app"] = own["app"] } },
    };
}
