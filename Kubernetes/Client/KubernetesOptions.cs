namespace Carina.Kubernetes.Client;

/// <summary>How the Kubernetes API is reached.</summary>
public sealed class KubernetesOptions
{
    /// <summary>Name of the driver's user agent, as the API server's audit log shows it.</summary>
    public const string UserAgent = "carina-orleans";

    /// <summary>
    /// Path of a kubeconfig file; empty means the pod's service account, or outside a pod what kubectl would use
    /// (<c>KUBECONFIG</c>, <c>~/.kube/config</c>).
    /// </summary>
    public string Kubeconfig { get; set; } = "";

    /// <summary>Namespace of the driver's own objects (membership, leases, secrets); empty means the pod's, or <c>default</c>.</summary>
    public string Namespace { get; set; } = "";

    /// <summary>How long one request may take, watches excepted.</summary>
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(10);
}
