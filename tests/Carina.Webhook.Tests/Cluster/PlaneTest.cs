using Carina.Harness.Kubernetes;
using Carina.Webhook.Hosting;
using Carina.Webhook.Tests.Hosting;
using k8s;
using k8s.Models;

namespace Carina.Webhook.Tests.Cluster;

/// <summary>
/// A test with webhooks on a real API server: namespace, configuration and service account of its own. The service
/// account has the permissions that the chart gives, and no others.
/// </summary>
public abstract class PlaneTest(PlaneFixture fixture) : IAsyncLifetime
{
    private const string Account = "carina-webhook";
    private readonly List<WebhookHost> _hosts = [];
    private string _kubeconfig = "";

    protected static CancellationToken Stop => TestContext.Current.CancellationToken;

    protected ControlPlane Plane => fixture.Plane;

    protected IKubernetes Admin => Plane.Admin;

    /// <summary>Namespace of pods and of the driver; also the configuration's name.</summary>
    protected string Namespace { get; } = $"hook-{Guid.NewGuid():N}"[..17];

    protected const string SecretName = "mutatingwebhook";

    protected string ClassName => "sc-" + Namespace;

    public virtual async ValueTask InitializeAsync()
    {
        await Admin.CoreV1.CreateNamespaceAsync(
            new() { Metadata = new() { Name = Namespace, Labels = new Dictionary<string, string> { ["test"] = Namespace } } },
            cancellationToken: Stop);
        await CreateClassAsync(ClassName, "carina.storage.io");
        await GrantAsync();
        _kubeconfig = await Plane.ServiceAccountKubeconfigAsync(Namespace, Account, Stop);
    }

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        foreach (var host in _hosts)
        {
            await host.DisposeAsync();
        }

        await IgnoreMissingAsync(() => Admin.AdmissionregistrationV1.DeleteMutatingWebhookConfigurationAsync(Namespace));
        await IgnoreMissingAsync(() => Admin.StorageV1.DeleteStorageClassAsync(ClassName));
        await IgnoreMissingAsync(() => Admin.RbacAuthorizationV1.DeleteClusterRoleBindingAsync(Namespace));
        await IgnoreMissingAsync(() => Admin.RbacAuthorizationV1.DeleteClusterRoleAsync(Namespace));
        await Admin.CoreV1.DeleteNamespaceAsync(Namespace, cancellationToken: CancellationToken.None);
    }

    /// <summary>Starts a replica; the test's service account is all it has.</summary>
    internal async Task<WebhookHost> StartAsync(
        Action<WebhookOptions>? configure = null, TimeProvider? time = null, int port = 0)
    {
        var host = await WebhookHost.StartAsync(
            _kubeconfig,
            Namespace,
            options =>
            {
                (options.ConfigurationName, options.SecretName) = (Namespace, SecretName);
                configure?.Invoke(options);
            },
            time,
            port);
        _hosts.Add(host);
        return host;
    }

    internal async Task StopAsync(WebhookHost host)
    {
        _hosts.Remove(host);
        await host.DisposeAsync();
    }

    /// <summary>Makes the configuration as the chart does, without caBundle; by address, as there is no cluster network.</summary>
    internal Task CreateConfigurationAsync(
        WebhookHost host, Dictionary<string, string>? annotations = null, params string[] versions) =>
        Admin.AdmissionregistrationV1.CreateMutatingWebhookConfigurationAsync(
            new()
            {
                Metadata = new() { Name = Namespace, Annotations = annotations },
                Webhooks =
                [
                    new()
                    {
                        Name = "pod-hook.carina.storage.io",
                        AdmissionReviewVersions = versions.Length > 0 ? versions : ["v1", "v1beta1"],
                        ClientConfig = new() { Url = new Uri(host.Webhook, WebhookPaths.MutatePods).ToString() },
                        FailurePolicy = "Ignore",
                        MatchPolicy = "Equivalent",
                        ReinvocationPolicy = "IfNeeded",
                        SideEffects = "None",
                        // The chart says 3; here a machine that is busy otherwise must not decide the test.
                        TimeoutSeconds = 15,
                        NamespaceSelector = new() { MatchLabels = new Dictionary<string, string> { ["test"] = Namespace } },
                        Rules =
                        [
                            new() { ApiGroups = [""], ApiVersions = ["v1"], Resources = ["pods"], Operations = ["CREATE"], Scope = "Namespaced" },
                        ],
                    },
                ],
            },
            cancellationToken: Stop);

    internal static Task WaitUntilReadyAsync(WebhookHost host, Action? meanwhile = null) => Eventually.ReadAsync(
        "the webhook to be ready",
        () =>
        {
            meanwhile?.Invoke();
            return Task.FromResult(host.Obstacle);
        },
        obstacle => obstacle.Length == 0,
        Stop);

    /// <summary>Creates pods until the API server has seen the configuration, and one comes back as it should.</summary>
    protected Task<V1Pod> CreateUntilAsync(string what, V1Pod pod, Func<V1Pod, bool> isRight) => Eventually.ReadAsync(
        what, () => Admin.CoreV1.CreateNamespacedPodAsync(pod, Namespace, cancellationToken: Stop), isRight, Stop);

    protected Task CreateClassAsync(string name, string provisioner, Dictionary<string, string>? parameters = null) =>
        Admin.StorageV1.CreateStorageClassAsync(
            new()
            {
                Metadata = new() { Name = name },
                Provisioner = provisioner,
                Parameters = parameters
                    ?? new() { ["carina.storage.io/disk-group-name"] = "carina-lvm", ["carina.storage.io/allow-pod-migration-if-node-notready"] = "true" },
            },
            cancellationToken: Stop);

    protected Task CreateClaimAsync(string name, string storageClass) => Admin.CoreV1.CreateNamespacedPersistentVolumeClaimAsync(
        new()
        {
            Metadata = new() { Name = name },
            Spec = Claim(storageClass),
        },
        Namespace,
        cancellationToken: Stop);

    protected static V1PersistentVolumeClaimSpec Claim(string storageClass) => new()
    {
        StorageClassName = storageClass,
        AccessModes = ["ReadWriteOnce"],
        Resources = new() { Requests = new Dictionary<string, ResourceQuantity> { ["storage"] = new("1Gi") } },
    };

    /// <summary>A pod with a name of the API server's and a claim.</summary>
    protected static V1Pod Pod(string? claim) => new()
    {
        Metadata = new() { GenerateName = "pod-" },
        Spec = new()
        {
            AutomountServiceAccountToken = false,
            Containers = [new() { Name = "c", Image = "mysql:8" }],
            Volumes = claim is null ? null : [new() { Name = "data", PersistentVolumeClaim = new() { ClaimName = claim } }],
        },
    };

    // What the chart gives the controller for its webhook: keep both alike.
    private async Task GrantAsync()
    {
        string[] read = ["get", "list", "watch"];
        await Admin.CoreV1.CreateNamespacedServiceAccountAsync(
            new() { Metadata = new() { Name = Account } }, Namespace, cancellationToken: Stop);
        await Admin.RbacAuthorizationV1.CreateClusterRoleAsync(
            new()
            {
                Metadata = new() { Name = Namespace },
                Rules =
                [
                    new() { ApiGroups = [""], Resources = ["persistentvolumeclaims", "persistentvolumes", "namespaces"], Verbs = read },
                    new() { ApiGroups = ["storage.k8s.io"], Resources = ["storageclasses"], Verbs = read },
                    new() { ApiGroups = ["apps"], Resources = ["statefulsets"], Verbs = ["get"] },
                    new()
                    {
                        ApiGroups = ["admissionregistration.k8s.io"],
                        Resources = ["mutatingwebhookconfigurations"],
                        ResourceNames = [Namespace],
                        Verbs = [.. read, "patch"],
                    },
                ],
            },
            cancellationToken: Stop);
        await Admin.RbacAuthorizationV1.CreateNamespacedRoleAsync(
            new()
            {
                Metadata = new() { Name = Account },
                Rules =
                [
                    new() { ApiGroups = [""], Resources = ["secrets"], ResourceNames = [SecretName], Verbs = [.. read, "update"] },
                    new() { ApiGroups = [""], Resources = ["secrets"], Verbs = ["create"] },
                ],
            },
            Namespace,
            cancellationToken: Stop);
        Rbacv1Subject subject = new() { Kind = "ServiceAccount", Name = Account, NamespaceProperty = Namespace };
        await Admin.RbacAuthorizationV1.CreateClusterRoleBindingAsync(
            new()
            {
                Metadata = new() { Name = Namespace },
                RoleRef = new() { ApiGroup = "rbac.authorization.k8s.io", Kind = "ClusterRole", Name = Namespace },
                Subjects = [subject],
            },
            cancellationToken: Stop);
        await Admin.RbacAuthorizationV1.CreateNamespacedRoleBindingAsync(
            new()
            {
                Metadata = new() { Name = Account },
                RoleRef = new() { ApiGroup = "rbac.authorization.k8s.io", Kind = "Role", Name = Account },
                Subjects = [subject],
            },
            Namespace,
            cancellationToken: Stop);
    }

    private static async Task IgnoreMissingAsync(Func<Task> delete)
    {
        try
        {
            await delete();
        }
        catch (k8s.Autorest.HttpOperationException exception)
            when (exception.Response.StatusCode == System.Net.HttpStatusCode.NotFound)
        {
            // The test did not get that far.
        }
    }
}
