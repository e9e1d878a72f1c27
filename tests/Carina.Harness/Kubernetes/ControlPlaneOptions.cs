using System.Net;

namespace Carina.Harness.Kubernetes;

/// <summary>A control plane to make. etcd and the API server are always part of it.</summary>
public sealed record ControlPlaneOptions
{
    /// <summary>Who may come, beside <see cref="KubernetesUser.AdminName"/>.</summary>
    public IReadOnlyList<KubernetesUser> Users { get; init; } = [];

    /// <summary>
    /// Starts kube-controller-manager. Without it there are no service accounts but those a test makes, and pods need
    /// none.
    /// </summary>
    public bool ControllerManager { get; init; }

    /// <summary>Starts kube-scheduler.</summary>
    public bool Scheduler { get; init; }

    /// <summary>More arguments of kube-apiserver; the last of a kind counts.</summary>
    public IReadOnlyList<string> ApiServerArguments { get; init; } = [];

    /// <summary>More arguments of kube-controller-manager, for example <c>--node-monitor-grace-period=8s</c>.</summary>
    public IReadOnlyList<string> ControllerManagerArguments { get; init; } = [];

    /// <summary>More arguments of kube-scheduler.</summary>
    public IReadOnlyList<string> SchedulerArguments { get; init; } = [];

    /// <summary>
    /// More fields of the KubeSchedulerConfiguration, as YAML without indentation: <c>profiles:</c>, <c>extenders:</c>.
    /// Its version is <c>v1beta1</c> for Kubernetes 1.20, and <c>v1</c> from 1.25 on.
    /// </summary>
    public string SchedulerConfiguration { get; init; } = "";

    /// <summary>Addresses beside loopback's that the API server is to be found at; it listens at all there are then.</summary>
    public IReadOnlyList<IPAddress> MoreAddresses { get; init; } = [];

    /// <summary>How long each process may take until it is ready.</summary>
    public TimeSpan StartTimeout { get; init; } = TimeSpan.FromMinutes(2);
}
