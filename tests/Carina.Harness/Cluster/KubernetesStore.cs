namespace Carina.Harness.Cluster;

/// <summary>The Kubernetes API as the cluster's store, instead of the state file.</summary>
/// <param name="ControllerKubeconfig">Who the controller is to the API server.</param>
/// <param name="NodeKubeconfig">Who the nodes are.</param>
/// <param name="Namespace">Where the driver keeps its own objects.</param>
public sealed record KubernetesStore(string ControllerKubeconfig, string NodeKubeconfig, string Namespace)
{
    /// <summary>Nodes that have a kubeconfig of their own, since they find the API server elsewhere.</summary>
    public IReadOnlyDictionary<string, string> OwnKubeconfigs { get; init; } = new Dictionary<string, string>();

    internal IReadOnlyList<string> Arguments(string role, string name) =>
    [
        "--store", "kubernetes",
        "--kubeconfig", OwnKubeconfigs.GetValueOrDefault(name) ?? (role == "controller" ? ControllerKubeconfig : NodeKubeconfig),
        "--namespace", Namespace,
    ];
}
