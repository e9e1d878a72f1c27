using Carina.Harness.Cluster;

namespace Carina.Harness.Kubernetes;

/// <summary>Writes what the processes of a control plane read, and says how they are started.</summary>
internal sealed class ControlPlaneFiles
{
    // CSIStorageCapacity is beta and on from 1.21 on; later the gate is gone.
    private const int LastWithAlphaCapacity = 20;

    // Servers without TLS, which have to be turned off, went away with 1.24.
    private const int LastWithInsecurePorts = 23;
    private const int FirstWithSchedulerConfigurationV1 = 25;
    private const string ControllerManager = "kube-controller-manager";
    private const string Scheduler = "kube-scheduler";

    private readonly ControlPlaneOptions _options;
    private readonly KubernetesBinaries _binaries;
    private readonly string _directory;
    private readonly string _etcd;
    private readonly string _etcdPeer;
    private readonly int _apiServerPort;
    private readonly int _controllerManagerPort;
    private readonly int _schedulerPort;
    private readonly int _schedulerPlainPort;

    public ControlPlaneFiles(ControlPlaneOptions options, KubernetesBinaries binaries, string directory)
    {
        (_options, _binaries, _directory) = (options, binaries, directory);
        var ports = FreePorts.Find(6);
        (_etcd, _etcdPeer) = ($"http://127.0.0.1:{ports[0]}", $"http://127.0.0.1:{ports[1]}");
        (_apiServerPort, _controllerManagerPort) = (ports[2], ports[3]);
        (_schedulerPort, _schedulerPlainPort) = (ports[4], ports[5]);
        Keys = new(Path.Combine(directory, "keys"), options.MoreAddresses);
        Users =
        [
            new(KubernetesUser.AdminName, KubernetesUser.Masters),
            // Its controllers' own roles would each need a service account of their own.
            new("system:" + ControllerManager, KubernetesUser.Masters),
            new("system:" + Scheduler),
            .. options.Users,
        ];
    }

    public ControlPlaneKeys Keys { get; }

    public IReadOnlyList<KubernetesUser> Users { get; }

    public Uri ApiServer => new($"https://127.0.0.1:{_apiServerPort}");

    public string Kubeconfig(string user) => Path.Combine(_directory, "kubeconfigs", user.Replace(':', '-'));

    /// <summary>Writes everything and returns the processes in the order in which they start.</summary>
    public IReadOnlyList<ControlPlaneLaunch> Write()
    {
        File.WriteAllLines(
            TokenFile, Users.Select(u => $"{u.Token},{u.Name},{u.Name},\"{string.Join(',', u.Groups)}\""));
        foreach (var user in Users)
        {
            KubeconfigFile.Write(Kubeconfig(user.Name), ApiServer, Keys.AuthorityPem, user.Name, user.Token);
        }

        File.WriteAllText(SchedulerConfigurationFile, DescribeScheduler());
        return
        [
            LaunchEtcd(),
            LaunchApiServer(),
            .. _options.ControllerManager ? new[] { LaunchControllerManager() } : [],
            .. _options.Scheduler ? new[] { LaunchScheduler() } : [],
        ];
    }

    private string TokenFile => Path.Combine(_directory, "tokens.csv");

    private string SchedulerConfigurationFile => Path.Combine(_directory, "scheduler.yaml");

    private ControlPlaneLaunch LaunchEtcd() => Launch(
        "etcd",
        $"{_etcd}/health",
        [
            $"--data-dir={Path.Combine(_directory, "etcd")}",
            $"--listen-client-urls={_etcd}",
            $"--advertise-client-urls={_etcd}",
            $"--listen-peer-urls={_etcdPeer}",
            $"--initial-advertise-peer-urls={_etcdPeer}",
            $"--initial-cluster=default={_etcdPeer}",
            // The data lives as long as the laboratory.
            "--unsafe-no-fsync",
        ]);

    private ControlPlaneLaunch LaunchApiServer() => Launch(
        "kube-apiserver",
        new Uri(ApiServer, "readyz").AbsoluteUri,
        [
            $"--etcd-servers={_etcd}",
            $"--bind-address={(_options.MoreAddresses.Count > 0 ? "0.0.0.0" : "127.0.0.1")}",
            "--advertise-address=127.0.0.1",
            // Endpoints must not be on loopback.
            "--endpoint-reconciler-type=none",
            $"--secure-port={_apiServerPort}",
            "--service-cluster-ip-range=10.0.0.0/24",
            .. Serving,
            $"--cert-dir={Path.Combine(_directory, "keys")}",
            "--authorization-mode=RBAC",
            $"--token-auth-file={TokenFile}",
            "--service-account-issuer=https://kubernetes.default.svc",
            $"--service-account-signing-key-file={Keys.ServiceAccountKeyPath}",
            $"--service-account-key-file={Keys.ServiceAccountKeyPath}",
            "--allow-privileged=true",
            // Nobody would make the service accounts that it asks for.
            .. _options.ControllerManager ? Array.Empty<string>() : ["--disable-admission-plugins=ServiceAccount"],
            .. CapacityGate,
            .. HasAlphaCapacity ? ["--runtime-config=storage.k8s.io/v1alpha1=true"] : Array.Empty<string>(),
            .. _options.ApiServerArguments,
        ]);

    private ControlPlaneLaunch LaunchControllerManager() => Launch(
        ControllerManager,
        $"https://127.0.0.1:{_controllerManagerPort}/healthz",
        [
            $"--kubeconfig={Kubeconfig("system:" + ControllerManager)}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            $"--secure-port={_controllerManagerPort}",
            .. NoInsecurePort,
            .. Serving,
            $"--root-ca-file={Keys.AuthorityPath}",
            $"--service-account-private-key-file={Keys.ServiceAccountKeyPath}",
            $"--flex-volume-plugin-dir={Path.Combine(_directory, "flex")}",
            .. _options.ControllerManagerArguments,
        ]);

    private ControlPlaneLaunch LaunchScheduler() => Launch(
        Scheduler,
        $"https://127.0.0.1:{_schedulerPort}/healthz",
        [
            $"--config={SchedulerConfigurationFile}",
            "--bind-address=127.0.0.1",
            $"--secure-port={_schedulerPort}",
            .. NoInsecurePort,
            .. Serving,
            .. CapacityGate,
            .. _options.SchedulerArguments,
        ]);

    private string DescribeScheduler() => $"""
        apiVersion: kubescheduler.config.k8s.io/{(HasSchedulerConfigurationV1 ? "v1" : "v1beta1")}
        kind: KubeSchedulerConfiguration
        clientConnection:
          kubeconfig: "{Kubeconfig("system:" + Scheduler)}"
        leaderElection:
          leaderElect: false
        {(HasSchedulerConfigurationV1 ? "" : PlainAddresses)}
        {_options.SchedulerConfiguration}
        """;

    // By default they are on all addresses; they cannot be turned off.
    private string PlainAddresses =>
        $"healthzBindAddress: 127.0.0.1:{_schedulerPlainPort}\nmetricsBindAddress: 127.0.0.1:{_schedulerPlainPort}";

    private bool HasSchedulerConfigurationV1 => _binaries.Minor >= FirstWithSchedulerConfigurationV1;

    private bool HasAlphaCapacity => _binaries.Minor <= LastWithAlphaCapacity;

    private IReadOnlyList<string> CapacityGate => HasAlphaCapacity ? ["--feature-gates=CSIStorageCapacity=true"] : [];

    private IReadOnlyList<string> NoInsecurePort => _binaries.Minor <= LastWithInsecurePorts ? ["--port=0"] : [];

    private IReadOnlyList<string> Serving =>
        [$"--tls-cert-file={Keys.ServingCertificatePath}", $"--tls-private-key-file={Keys.ServingKeyPath}"];

    private ControlPlaneLaunch Launch(string program, string health, IReadOnlyList<string> arguments) =>
        new(program, _binaries[program], arguments, new Uri(health));
}
