namespace Carina.Kubernetes.Client;

/// <summary>How the Kubernetes API is reached.</summary>
public sealed class KubernetesOptions
{
    /// <summary>Name of the driver's user agent, as the API server's audit log shows it.</summary>
    public const string UserAgent = "carina-orleans";

    /// <summary>A connection without a word from the API server for so long is asked for a sign of life (HTTP/2 ping).</summary>
    public static readonly TimeSpan SilenceBeforePing = TimeSpan.FromSeconds(15);

    /// <summary>Without an answer to that for so long, the connection and the watches on it are given up.</summary>
    public static readonly TimeSpan PingTimeout = TimeSpan.FromSeconds(10);

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
