namespace Carina.Silo;

/// <summary>What a silo process is for.</summary>
public enum SiloRole
{
    /// <summary>Runs on a node: drives its disks and serves the CSI node service.</summary>
    Node,

    /// <summary>Serves the CSI controller service; has no disks.</summary>
    Controller,
}

/// <summary>Where truth is kept.</summary>
public enum StoreKind
{
    /// <summary>In an embedded database file that all processes of one machine share.</summary>
    Embedded,

    /// <summary>In custom resources of the cluster's own API.</summary>
    Kubernetes,
}

/// <summary>Settings of the silo process, from the command line, the environment (<c>Carina__X</c>) or appsettings.</summary>
public sealed class SiloOptions
{
    public const string Section = "Carina";

    public SiloRole Role { get; set; } = SiloRole.Node;

    /// <summary>Where truth is kept: volumes, promises and membership.</summary>
    public StoreKind Store { get; set; } = StoreKind.Embedded;

    /// <summary>Path of a kubeconfig file; empty means the pod's service account.</summary>
    public string Kubeconfig { get; set; } = "";

    /// <summary>Namespace of the driver's own objects (<c>POD_NAMESPACE</c>).</summary>
    public string Namespace { get; set; } = "";

    /// <summary>
    /// Name of this node (<c>NODE_NAME</c>); for a controller, any name of its own (<c>POD_NAME</c> in a pod).
    /// </summary>
    public string NodeName { get; set; } = "";

    /// <summary>Further node labels as <c>key=value,key=value</c>, where there is no Kubernetes to ask.</summary>
    public string Labels { get; set; } = "";

    /// <summary>Path of <c>config.json</c>.</summary>
    public string ConfigFile { get; set; } = "/etc/carina/config.json";

    /// <summary>Path of the CSI socket to serve.</summary>
    public string CsiSocket { get; set; } = "/csi/csi.sock";

    /// <summary>Path of the plugin registration socket to serve to the kubelet; empty leaves that to the registrar sidecar.</summary>
    public string RegistrationSocket { get; set; } = "";

    /// <summary>The CSI socket's path as the kubelet sees it, told to it at registration; empty means <see cref="CsiSocket"/>.</summary>
    public string KubeletCsiSocket { get; set; } = "";

    /// <summary>
    /// The kubelet's directory for device plugins, through which capacity is shown in the Node object; empty shows none.
    /// </summary>
    public string DevicePluginDirectory { get; set; } = "";

    /// <summary>Path of the embedded database file.</summary>
    public string StateFile { get; set; } = "/var/lib/carina/carina.db";

    /// <summary>Directory for what this node has to remember over a reboot; empty means that of <see cref="StateFile"/>.</summary>
    public string StateDirectory { get; set; } = "";

    /// <summary>Directory for what nobody misses after a reboot: LVM's private configuration, mounts in the making.</summary>
    public string RunDirectory { get; set; } = "/run/carina";

    public string ClusterId { get; set; } = "carina";

    /// <summary>Address that other silos reach this one at.</summary>
    public string Address { get; set; } = "127.0.0.1";

    /// <summary>Port that other silos reach this one at.</summary>
    public int Port { get; set; } = 11111;

    /// <summary>Port of <c>/healthz</c>, <c>/readyz</c> and <c>/metrics</c>; 0 means none.</summary>
    public int HttpPort { get; set; }

    /// <summary>Port of admission webhook and scheduler extender, over HTTPS; 0 means none. For controllers in Kubernetes.</summary>
    public int WebhookPort { get; set; }

    /// <summary>Name of the Service that the webhook is reached by; its certificate is made for that.</summary>
    public string WebhookService { get; set; } = "carina-controller";

    /// <summary>Name of the Secret with the webhook's certificate.</summary>
    public string WebhookSecret { get; set; } = "mutatingwebhook";

    /// <summary>Name of the MutatingWebhookConfiguration that gets our authority's certificate.</summary>
    public string WebhookConfiguration { get; set; } = "carina-hook";

    /// <summary>Directory with a certificate that somebody else keeps; empty means the Secret.</summary>
    public string WebhookCertificates { get; set; } = "";

    /// <summary>Directories below which staging and target paths must be, separated by colons.</summary>
    public string PathRoots { get; set; } = "/var/lib/kubelet";

    /// <summary>Most volumes published to a node at a time.</summary>
    public int MaxVolumesPerNode { get; set; } = 1000;

    /// <summary>Time between reports of an idle node to its ledger.</summary>
    public TimeSpan ReportInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Time a silo has to answer another's probe; three misses in a row, and it is declared dead. A second finds a
    /// powered-off node in six (measured); where processes starve for the processor, more prevents false alarms.
    /// </summary>
    public TimeSpan ProbeTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Devices that LVM may look at, as regular expressions separated by commas; empty means all. For several nodes that
    /// share one kernel (embedded mode, tests).
    /// </summary>
    public string LvmDevices { get; set; } = "";

    /// <summary>Where this node remembers what it is cut off from; nodes may share the directory.</summary>
    public string FenceFile => StateFileIn("fenced");

    /// <summary>Where this node remembers what it gave its word for; nodes may share the directory.</summary>
    public string GuardFile => StateFileIn("guarded");

    /// <summary>This process' part of <see cref="RunDirectory"/>: nodes that share a kernel may share that too.</summary>
    public string OwnRunDirectory => Path.Combine(RunDirectory, NodeName.Replace('/', '-'));

    private string StateFileIn(string directory) => Path.Combine(
        StateDirectory.Length > 0 ? StateDirectory : Path.GetDirectoryName(Path.GetFullPath(StateFile))!,
        directory,
        NodeName.Replace('/', '-') + ".json");
}
