namespace Carina.Harness.Cluster;

/// <summary>The Kubernetes API as the cluster's store, instead of the state file.</summary>
/// <param name="ControllerKubeconfig">Who the controller is to the API server.</param>
/// <param name="NodeKubeconfig">Who the nodes are.</param>
/// <param name="Namespace">Where the driver keeps its own objects.</param>
public sealed record KubernetesStore(string ControllerKubeconfig, string NodeKubeconfig, string Namespace)
{
    internal IReadOnlyList<string> Arguments(string role) =>
    [
        "--store", "kubernetes",
        "--kubeconfig", role == "controller" ? ControllerKubeconfig : NodeKubeconfig,
        "--namespace", Namespace,
    ];
}
