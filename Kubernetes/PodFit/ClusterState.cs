using k8s.Models;

namespace Carina.Kubernetes.PodFit;

/// <summary>What kube-scheduler looks at, as it was read at about one moment.</summary>
/// <param name="Nodes">All nodes, those that are no candidates too: they count where pods are spread.</param>
/// <param name="Pods">All pods of all namespaces; finished ones may be among them.</param>
/// <param name="NamespaceLabels">Labels of every namespace, by its name.</param>
public sealed record ClusterState(
    IReadOnlyList<V1Node> Nodes,
    IReadOnlyList<V1Pod> Pods,
    IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> NamespaceLabels);
