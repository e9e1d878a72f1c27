using Carina.Kubernetes.PodFit.Cluster;
using k8s.Models;

namespace Carina.Kubernetes.PodFit.Rules;

/// <summary>The host ports that the pod wants are free.</summary>
internal sealed class PortRule(Replacement replacement) : INodeRule
{
    private const string EveryAddress = "0.0.0.0";
    private readonly List<HostPort> _wanted = [.. PortsOf(replacement.Pod)];

    public string ObstacleOn(NodeView node)
    {
        if (_wanted.Count == 0)
        {
            return "";
        }

        foreach (var pod in node.Pods.Concat(node.Nominated))
        {
            if (PortsOf(pod).FirstOrDefault(p => _wanted.Exists(w => w.CollidesWith(p))) is { } taken)
            {
                return "didn't have free ports for the requested pod ports "
                    + $"({taken.Protocol} {taken.Port} is taken by pod {ObjectParts.Describe(pod)})";
            }
        }

        return "";
    }

    private static IEnumerable<HostPort> PortsOf(V1Pod pod) => ObjectParts.LastingContainers(pod)
        .SelectMany(c => c.Ports.Items())
        .Where(p => p.HostPort is > 0)
        .Select(p => new HostPort(
            string.IsNullOrEmpty(p.HostIP) ? EveryAddress : p.HostIP,
            string.IsNullOrEmpty(p.Protocol) ? "TCP" : p.Protocol,
            p.HostPort ?? 0));

    private sealed record HostPort(string Address, string Protocol, int Port)
    {
        public bool CollidesWith(HostPort other) =>
            Protocol == other.Protocol
            && Port == other.Port
            && (Address == other.Address || Address == EveryAddress || other.Address == EveryAddress);
    }
}
