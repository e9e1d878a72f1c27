using k8s;
using k8s.Models;

namespace Carina.E2E.Tests.Charts;

/// <summary>Objects of a rendered chart, read as Kubernetes' own types: a field that they do not have is an error.</summary>
internal sealed class ChartObjects
{
    // Versions that the client has no type for; their fields are the same.
    private static readonly Dictionary<string, Type> _types = new()
    {
        ["policy/v1beta1/PodDisruptionBudget"] = typeof(V1PodDisruptionBudget),
        ["monitoring.coreos.com/v1/ServiceMonitor"] = typeof(ServiceMonitor),
    };

    private readonly IReadOnlyList<IKubernetesObject<V1ObjectMeta>> _objects;

    private ChartObjects(IReadOnlyList<IKubernetesObject<V1ObjectMeta>> objects)
    {
        _objects = objects;
    }

    /// <summary>Kind and name of each.</summary>
    public IEnumerable<string> Names => _objects.Select(o => $"{o.Kind}/{o.Metadata.Name}");

    public IEnumerable<IKubernetesObject<V1ObjectMeta>> All => _objects;

    public V1Deployment Controller => Single<V1Deployment>("csi-carina-controller");

    public V1DaemonSet Node => Single<V1DaemonSet>("csi-carina-node");

    /// <summary>All pod templates, by their object's name.</summary>
    public IEnumerable<(string Name, V1PodSpec Pod)> Pods =>
    [
        .. Of<V1Deployment>().Select(d => (d.Metadata.Name, d.Spec.Template.Spec)),
        .. Of<V1DaemonSet>().Select(d => (d.Metadata.Name, d.Spec.Template.Spec)),
    ];

    public static ChartObjects Parse(string yaml) => new(
        [.. KubernetesYaml.LoadAllFromString(yaml, _types, strict: true).Cast<IKubernetesObject<V1ObjectMeta>>()]);

    public IEnumerable<T> Of<T>() => _objects.OfType<T>();

    public T Single<T>(string name)
        where T : IKubernetesObject<V1ObjectMeta> => _objects.OfType<T>().Single(o => o.Metadata.Name == name);

    /// <summary>A container, sidecars and init containers included.</summary>
    public V1Container Container(string name) => Pods
        .SelectMany(p => p.Pod.Containers.Concat(p.Pod.InitContainers ?? []))
        .Single(c => c.Name == name);
}
