using Carina.Harness.Kubernetes;
using Carina.Kubernetes.Client;
using Carina.Silo.Membership;
using Carina.Silo.Membership.Kubernetes;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.Configuration;

namespace Carina.Silo.Tests.Membership.Kubernetes;

/// <summary>
/// A real API server with the chart's custom resource definition, a namespace, and a user who may do what a silo may and
/// nothing else.
/// </summary>
public sealed class MembershipApi : IAsyncLifetime
{
    public const string Namespace = "carina-system";
    public const string SiloUser = "silo";
    public const string StrangerUser = "stranger";
    private ControlPlane? _plane;

    public ControlPlane Plane => _plane ?? throw new InvalidOperationException("The API server is not started.");

    public static string Definition =>
        Path.Combine(Harness.Cluster.BuiltAssemblies.Root, "charts/carina-csi-driver/crds/orleansmemberships.yaml");

    public async ValueTask InitializeAsync()
    {
        _plane = await ControlPlane.StartAsync(
            new() { Users = [new(SiloUser), new(StrangerUser)] }, TestContext.Current.CancellationToken);
        await ApplyDefinitionAsync();
        await Plane.Admin.CoreV1.CreateNamespaceAsync(
            new() { Metadata = new() { Name = Namespace } }, cancellationToken: TestContext.Current.CancellationToken);
        await AllowSiloAsync();
    }

    public async Task ApplyDefinitionAsync()
    {
        await Plane.ApplyAsync(Definition);
        await Plane.KubectlAsync("wait", "--for=condition=Established", "--timeout=60s", "-f", Definition);
    }

    public async ValueTask DisposeAsync()
    {
        if (_plane is not null)
        {
            Assert.Empty(await _plane.RemoveAsync());
        }
    }

    /// <summary>How a silo reaches the API server.</summary>
    public KubernetesOptions Options(string user = SiloUser, TimeSpan? timeout = null) => new()
    {
        Kubeconfig = Plane.Kubeconfig(user),
        Namespace = Namespace,
        RequestTimeout = timeout ?? TimeSpan.FromSeconds(30),
    };

    /// <summary>A client as a silo has it, with faults next to the network.</summary>
    public IKubernetes Client(
        string user = SiloUser, TimeSpan? timeout = null, params IReadOnlyList<DelegatingHandler> faults) =>
        KubernetesClientExtensions.Create(Options(user, timeout), TimeProvider.System, faults);

    internal KubernetesMembershipDocuments Documents(IKubernetes client, KubernetesMembershipOptions? options = null) => new(
        client,
        Microsoft.Extensions.Options.Options.Create(Options()),
        Microsoft.Extensions.Options.Options.Create(options ?? new KubernetesMembershipOptions()),
        Microsoft.Extensions.Options.Options.Create(new ClusterMembershipOptions()),
        TimeProvider.System,
        NullLogger<KubernetesMembershipDocuments>.Instance);

    internal IMembershipTable Table(IKubernetes client, string cluster, KubernetesMembershipOptions? options = null) =>
        new DocumentMembershipTable(
            Documents(client, options),
            Microsoft.Extensions.Options.Options.Create(new ClusterOptions { ClusterId = cluster }),
            options?.PodIn(Namespace));

    private async Task AllowSiloAsync()
    {
        var stop = TestContext.Current.CancellationToken;
        await Plane.Admin.RbacAuthorizationV1.CreateNamespacedRoleAsync(
            new()
            {
                Metadata = new() { Name = SiloUser },
                Rules =
                [
                    new()
                    {
                        ApiGroups = [OrleansMembership.Group],
                        Resources = [OrleansMembership.Plural],
                        Verbs = ["get", "list", "watch", "create", "update"],
                    },
                    new()
                    {
                        ApiGroups = [V1Lease.KubeGroup],
                        Resources = ["leases"],
                        Verbs = ["get", "list", "watch", "create", "patch", "delete"],
                    },
                    // Of controllers, for the deletion watch.
                    new() { ApiGroups = [""], Resources = ["pods"], Verbs = ["get", "list", "watch"] },
                ],
            },
            Namespace,
            cancellationToken: stop);
        await Plane.Admin.RbacAuthorizationV1.CreateNamespacedRoleBindingAsync(
            new()
            {
                Metadata = new() { Name = SiloUser },
                RoleRef = new() { ApiGroup = V1Role.KubeGroup, Kind = V1Role.KubeKind, Name = SiloUser },
                Subjects = [new() { ApiGroup = V1Role.KubeGroup, Kind = "User", Name = SiloUser }],
            },
            Namespace,
            cancellationToken: stop);
        await Plane.Admin.RbacAuthorizationV1.CreateClusterRoleAsync(
            new()
            {
                Metadata = new() { Name = SiloUser },
                Rules = [new() { ApiGroups = [""], Resources = ["nodes"], Verbs = ["get", "list", "watch"] }],
            },
            cancellationToken: stop);
        await Plane.Admin.RbacAuthorizationV1.CreateClusterRoleBindingAsync(
            new()
            {
                Metadata = new() { Name = SiloUser },
                RoleRef = new() { ApiGroup = V1Role.KubeGroup, Kind = V1ClusterRole.KubeKind, Name = SiloUser },
                Subjects = [new() { ApiGroup = V1Role.KubeGroup, Kind = "User", Name = SiloUser }],
            },
            cancellationToken: stop);
        using var silo = Client();
        await Eventually.ReadAsync(
            "the silo's role to work",
            async () =>
            {
                try
                {
                    await silo.CoreV1.ListNodeAsync(cancellationToken: stop);
                    await silo.CoordinationV1.ListNamespacedLeaseAsync(Namespace, cancellationToken: stop);
                    return true;
                }
                catch (Exception exception) when (exception.IsForbidden())
                {
                    return false;
                }
            },
            works => works,
            stop);
    }
}

/// <summary>Tests that share the API server, one at a time: some kill it.</summary>
[CollectionDefinition(Name)]
public sealed class MembershipApiCollection : ICollectionFixture<MembershipApi>
{
    public const string Name = "Membership on Kubernetes";
}
