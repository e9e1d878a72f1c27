using System.Net;
using Carina.Harness.Cluster;
using Carina.Harness.Leftovers;
using Carina.Harness.Processes;
using k8s;
using k8s.Models;

namespace Carina.Harness.Kubernetes;

/// <summary>
/// A real control plane of Kubernetes on loopback, with RBAC: etcd, the API server and, if wanted, the controller
/// manager and the scheduler. Everything it makes is in or below <see cref="Directory"/> and goes with it.
/// </summary>
public sealed class ControlPlane : IAsyncDisposable
{
    private const string DefaultNamespace = "default";
    private const int TokenSeconds = 6 * 3600;
    private const int FirstWithoutTokenSecrets = 24;
    private static readonly TimeSpan _pollInterval = TimeSpan.FromMilliseconds(100);
    private readonly ControlPlaneOptions _options;
    private readonly KubernetesBinaries _binaries;
    private readonly ControlPlaneFiles _files;
    private readonly HttpClient _http;
    private readonly List<ControlPlaneProcess> _processes = [];
    private readonly Dictionary<string, k8s.Kubernetes> _clients = [];

    private ControlPlane(ControlPlaneOptions options, KubernetesBinaries binaries, string directory)
    {
        (_options, _binaries, Directory) = (options, binaries, directory);
        _files = new(options, binaries, directory);
        _http = _files.Keys.CreateHttpClient();
        _http.DefaultRequestHeaders.Authorization =
            new("Bearer", _files.Users.Single(u => u.Name == KubernetesUser.AdminName).Token);
    }

    public string Directory { get; }

    /// <summary>Logs of all processes.</summary>
    public string LogDirectory => MemberFiles.LogDirectory(Directory);

    /// <summary>Where the API server is, over all its restarts.</summary>
    public Uri ApiServer => _files.ApiServer;

    public ControlPlaneKeys Keys => _files.Keys;

    /// <summary>The 20 of Kubernetes 1.20.</summary>
    public int Minor => _binaries.Minor;

    /// <summary>The client that may do everything.</summary>
    public IKubernetes Admin => Client(KubernetesUser.AdminName);

    /// <summary>Starts all processes and waits until they are ready and pods can be made.</summary>
    /// <exception cref="HarnessException">It did not get ready; with the end of the log. Nothing is left.</exception>
    public static async Task<ControlPlane> StartAsync(ControlPlaneOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        var binaries = await KubernetesBinaries.FindAsync(cancellationToken);
        var plane = new ControlPlane(options, binaries, LaboratoryDirectory.Make());
        try
        {
            await plane.StartProcessesAsync(cancellationToken);
            await plane.WaitForDefaultNamespaceAsync(cancellationToken);
            return plane;
        }
        catch
        {
            await plane.DisposeAsync();
            throw;
        }
    }

    /// <summary>Path of a kubeconfig of a user (<see cref="ControlPlaneOptions.Users"/>).</summary>
    public string Kubeconfig(string user = KubernetesUser.AdminName) =>
        _files.Users.Any(u => u.Name == user)
            ? _files.Kubeconfig(user)
            : throw new HarnessException($"The control plane was started without a user '{user}'.");

    /// <summary>A client that acts as a user; it belongs to the control plane.</summary>
    public IKubernetes Client(string user) => ClientOf(Kubeconfig(user));

    /// <summary>A client that acts as a kubeconfig says; it belongs to the control plane.</summary>
    public IKubernetes ClientOf(string kubeconfig)
    {
        lock (_clients)
        {
            if (!_clients.TryGetValue(kubeconfig, out var client))
            {
                client = new(KubernetesClientConfiguration.BuildConfigFromConfigFile(kubeconfig));
                _clients.Add(kubeconfig, client);
            }

            return client;
        }
    }

    /// <summary>
    /// Path of a new kubeconfig that acts as an existing service account, with a token of the kind that pods get. It leads
    /// to <paramref name="address"/> where that is given (<see cref="ControlPlaneOptions.MoreAddresses"/>).
    /// </summary>
    public async Task<string> ServiceAccountKubeconfigAsync(
        string @namespace, string name, CancellationToken cancellationToken, IPAddress? address = null)
    {
        var answer = await Admin.CoreV1.CreateNamespacedServiceAccountTokenAsync(
            new() { Spec = new() { Audiences = [], ExpirationSeconds = TokenSeconds } },
            name,
            @namespace,
            cancellationToken: cancellationToken);
        var path = Path.Combine(
            Directory, "kubeconfigs", $"{@namespace}.{name}.{Path.GetRandomFileName()[..6]}");
        var server = address is null ? ApiServer : new UriBuilder(ApiServer) { Host = address.ToString() }.Uri;
        KubeconfigFile.Write(path, server, Keys.AuthorityPem, name, answer.Status.Token);
        return path;
    }

    /// <summary>Runs kubectl as admin and returns its output; <c>--kubeconfig</c> makes it somebody else.</summary>
    public Task<string> KubectlAsync(params IReadOnlyList<string> arguments) => RunAsync("kubectl", arguments);

    /// <summary>Runs helm as admin and returns its output.</summary>
    public Task<string> HelmAsync(params IReadOnlyList<string> arguments) => RunAsync("helm", arguments);

    /// <summary>kubectl apply of a file or of a directory.</summary>
    public Task<string> ApplyAsync(string path) => KubectlAsync("apply", "--filename", path);

    /// <summary>kill -9 of the API server.</summary>
    public Task KillApiServerAsync(CancellationToken cancellationToken) => ApiServerProcess.KillAsync(cancellationToken);

    /// <summary>Starts the API server again, at the same port and with the same data, and waits until it is ready.</summary>
    public async Task StartApiServerAsync(CancellationToken cancellationToken)
    {
        ApiServerProcess.Start();
        await ApiServerProcess.WaitUntilReadyAsync(_options.StartTimeout, cancellationToken);
    }

    /// <summary>The API server keeps its connections, accepts new ones and answers nobody.</summary>
    public void FreezeApiServer() => ApiServerProcess.Freeze();

    public void ThawApiServer() => ApiServerProcess.Thaw();

    /// <summary>Waits until all processes say that they are ready.</summary>
    /// <exception cref="HarnessException">One has ended or is not ready in time; with the end of its log.</exception>
    public async Task WaitUntilReadyAsync(CancellationToken cancellationToken)
    {
        foreach (var process in _processes)
        {
            await process.WaitUntilReadyAsync(_options.StartTimeout, cancellationToken);
        }
    }

    /// <summary>The ends of all logs, for a person.</summary>
    public string Tails(int lines) => string.Join('\n', _processes.Select(p => $"==== {p.Name}\n{p.Tail(lines)}"));

    /// <summary>Ends everything and takes everything away; says what could not be.</summary>
    public async Task<IReadOnlyList<string>> RemoveAsync()
    {
        lock (_clients)
        {
            foreach (var client in _clients.Values)
            {
                client.Dispose();
            }

            _clients.Clear();
        }

        // Nobody needs the data any more.
        foreach (var process in _processes.AsEnumerable().Reverse())
        {
            await process.DisposeAsync();
        }

        _http.Dispose();
        return await LeftoverInspector.RemoveAsync(Directory, [], []);
    }

    public async ValueTask DisposeAsync()
    {
        if (System.IO.Directory.Exists(Directory))
        {
            await RemoveAsync();
        }
    }

    private ControlPlaneProcess ApiServerProcess => _processes.Single(p => p.Name == "kube-apiserver");

    private async Task StartProcessesAsync(CancellationToken cancellationToken)
    {
        System.IO.Directory.CreateDirectory(LogDirectory);
        foreach (var launch in _files.Write())
        {
            var process = new ControlPlaneProcess(launch, Directory, _http);
            _processes.Add(process);
            process.Start();
            await process.WaitUntilReadyAsync(_options.StartTimeout, cancellationToken);
        }
    }

    // The API server makes the namespace some time after it is ready, the controller manager the service account.
    private async Task WaitForDefaultNamespaceAsync(CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(_options.StartTimeout);
        try
        {
            while (!await HasDefaultNamespaceAsync(deadline.Token))
            {
                await Task.Delay(_pollInterval, deadline.Token);
            }
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new HarnessException(
                $"Nobody made the default namespace, or what it needs, within {_options.StartTimeout}.\n{Tails(25)}",
                exception);
        }
    }

    private async Task<bool> HasDefaultNamespaceAsync(CancellationToken cancellationToken)
    {
        var namespaces = await Admin.CoreV1.ListNamespaceAsync(cancellationToken: cancellationToken);
        if (namespaces.Items.All(n => n.Name() != DefaultNamespace))
        {
            return false;
        }

        if (!_options.ControllerManager)
        {
            return true;
        }

        var accounts = await Admin.CoreV1.ListNamespacedServiceAccountAsync(
            DefaultNamespace, cancellationToken: cancellationToken);
        // Before 1.24 pods are refused until the account has a token of the old kind.
        return accounts.Items.Any(a =>
            a.Name() == "default" && (Minor >= FirstWithoutTokenSecrets || a.Secrets is { Count: > 0 }));
    }

    private Task<string> RunAsync(string program, IReadOnlyList<string> arguments) => Command.RunAsync(
        _binaries[program],
        arguments,
        CancellationToken.None,
        new Dictionary<string, string>
        {
            [LaboratoryMark.Variable] = Directory,
            ["KUBECONFIG"] = Kubeconfig(),
            // Caches.
            ["HOME"] = Directory,
            ["KUBECACHEDIR"] = Path.Combine(Directory, "kubectl"),
            ["HELM_CACHE_HOME"] = Path.Combine(Directory, "helm", "cache"),
            ["HELM_CONFIG_HOME"] = Path.Combine(Directory, "helm", "config"),
            ["HELM_DATA_HOME"] = Path.Combine(Directory, "helm", "data"),
        });
}
