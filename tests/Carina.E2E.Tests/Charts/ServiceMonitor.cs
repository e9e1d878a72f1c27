using k8s;
using k8s.Models;

namespace Carina.E2E.Tests.Charts;

/// <summary>What the Prometheus operator is told to collect; as much of it as the chart uses.</summary>
public sealed class ServiceMonitor : IKubernetesObject<V1ObjectMeta>
{
    public string ApiVersion { get; set; } = "";

    public string Kind { get; set; } = "";

    public V1ObjectMeta Metadata { get; set; } = new();

    public ServiceMonitorSpec Spec { get; set; } = new();
}

/// <summary>Which services, and where they are asked.</summary>
public sealed class ServiceMonitorSpec
{
    public string JobLabel { get; set; } = "";

    public Dictionary<string, List<string>> NamespaceSelector { get; set; } = [];

    public V1LabelSelector Selector { get; set; } = new();

    public List<Dictionary<string, string>> Endpoints { get; set; } = [];
}
