using System.Net;
using Carina.Harness.Kubernetes;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Carina.E2E.Tests.Charts;

/// <summary>What each component may do, as the API server decides it, and what it may not.</summary>
[Collection(ChartCollection.Name)]
public sealed class RoleTests(ChartFixture fixture)
{
    private const string Node = "carina-csi-node";
    private const string Controller = "carina-csi-controller";
    private const string Scheduler = "carina-scheduler-sa";
    private const string Home = Chart.Namespace;
    private const string Elsewhere = "default";
    private const string Cluster = "";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private ControlPlane Plane => fixture.Plane;

    /// <summary>Account, verbs, resource (with its group, and its name after a colon), namespace.</summary>
    public static TheoryData<string, string, string, string> Allowed => new()
    {
        // Grains and what they store may be in any silo.
        { Node, "get list watch create update patch delete", "logicvolumes.carina.storage.io", Cluster },
        { Node, "update patch", "logicvolumes/status.carina.storage.io", Cluster },
        { Node, "get list watch create update patch", "nodestorageresources.carina.storage.io", Cluster },
        { Node, "update patch", "nodestorageresources/status.carina.storage.io", Cluster },
        { Node, "get list watch create update", "orleansmemberships.carina.storage.io", Home },
        { Node, "get list watch create update patch delete", "leases.coordination.k8s.io", Home },
        { Node, "get list watch", "pods", Home },
        { Node, "get list watch", "pods", Elsewhere },
        { Node, "get list watch", "nodes", Cluster },
        // Events of objects without a namespace are in the default one; what happens again is counted.
        { Node, "get create update patch", "events", "default" },
        { Controller, "get create update patch", "events", "default" },
        { Controller, "get list watch create update patch delete", "logicvolumes.carina.storage.io", Cluster },
        { Controller, "get list watch create update patch", "nodestorageresources.carina.storage.io", Cluster },
        { Controller, "get list watch create update", "orleansmemberships.carina.storage.io", Home },
        { Controller, "get list watch create update patch delete", "leases.coordination.k8s.io", Home },
        // Heartbeats of kubelets, for fast detection.
        { Controller, "list", "leases.coordination.k8s.io", "kube-node-lease" },
        // csi-provisioner and csi-resizer.
        { Controller, "get list watch create patch delete", "persistentvolumes", Cluster },
        { Controller, "get list watch update patch", "persistentvolumeclaims", Elsewhere },
        { Controller, "patch", "persistentvolumeclaims/status", Elsewhere },
        { Controller, "get list watch", "storageclasses.storage.k8s.io", Cluster },
        { Controller, "get list watch", "csinodes.storage.k8s.io", Cluster },
        { Controller, "get list watch", "volumeattributesclasses.storage.k8s.io", Cluster },
        // Volumes that are published by the controller are deleted only after they are let go of: csi-provisioner looks.
        { Controller, "get list watch", "volumeattachments.storage.k8s.io", Cluster },
        { Controller, "create get list watch update patch delete", "csistoragecapacities.storage.k8s.io", Home },
        { Controller, "get", "replicasets.apps", Home },
        { Controller, "get create update patch", "events", "kube-public" },
        // Webhook and scheduler extender.
        { Controller, "get list watch delete", "pods", Elsewhere },
        { Controller, "create", "pods/eviction", Elsewhere },
        { Controller, "get list watch", "namespaces", Cluster },
        { Controller, "get", "statefulsets.apps", Elsewhere },
        { Controller, "create", "secrets", Home },
        { Controller, "get list watch update patch", "secrets:mutatingwebhook", Home },
        { Controller, "get list watch update patch", "mutatingwebhookconfigurations.admissionregistration.k8s.io:carina-csi-driver-hook", Cluster },
        // A kube-scheduler.
        { Scheduler, "get list watch", "pods", Elsewhere },
        { Scheduler, "create", "pods/binding", Elsewhere },
        { Scheduler, "get list watch patch update", "persistentvolumeclaims", Elsewhere },
        { Scheduler, "get list watch patch update", "persistentvolumes", Cluster },
        { Scheduler, "create", "leases.coordination.k8s.io", Home },
        { Scheduler, "get update patch", "leases.coordination.k8s.io:carina-scheduler", Home },
    };

    public static TheoryData<string, string, string, string> Forbidden => new()
    {
        { Node, "get list watch create update patch delete", "secrets", Home },
        { Node, "get list watch create update patch delete", "secrets", Elsewhere },
        { Node, "get list", "secrets", Cluster },
        { Node, "create update patch delete deletecollection", "pods", Home },
        { Node, "create update patch delete deletecollection", "pods", Elsewhere },
        { Node, "create", "pods/exec", Home },
        { Node, "create", "pods/eviction", Home },
        { Node, "get list create update patch delete", "events", "kube-public" },
        { Node, "list watch delete", "events", "default" },
        { Node, "create update patch delete", "nodes", Cluster },
        { Node, "update patch", "nodes/status", Cluster },
        { Node, "get create", "nodes/proxy", Cluster },
        { Node, "get list watch create update patch delete", "persistentvolumes", Cluster },
        { Node, "get list watch create update patch delete", "persistentvolumeclaims", Elsewhere },
        { Node, "get list watch update patch delete", "leases.coordination.k8s.io", "kube-node-lease" },
        { Node, "get list watch create update", "orleansmemberships.carina.storage.io", Elsewhere },
        { Node, "delete deletecollection", "orleansmemberships.carina.storage.io", Home },
        { Node, "get list watch update patch", "configmaps", Home },
        { Node, "create", "serviceaccounts/token", Home },
        { Node, "update patch", "customresourcedefinitions.apiextensions.k8s.io", Cluster },
        { Node, "get update patch", "mutatingwebhookconfigurations.admissionregistration.k8s.io", Cluster },
        { Node, "create update patch bind escalate", "clusterroles.rbac.authorization.k8s.io", Cluster },
        { Controller, "get list watch update patch delete", "secrets", Elsewhere },
        { Controller, "get list", "secrets", Cluster },
        { Controller, "get list watch update patch delete", "secrets", Home },
        { Controller, "get update", "secrets:another", Home },
        { Controller, "delete", "secrets:mutatingwebhook", Home },
        { Controller, "create", "secrets", Elsewhere },
        { Controller, "create update patch deletecollection", "pods", Elsewhere },
        { Controller, "create", "pods/exec", Elsewhere },
        { Controller, "create update patch delete", "nodes", Cluster },
        { Controller, "create delete", "persistentvolumeclaims", Elsewhere },
        { Controller, "deletecollection", "persistentvolumes", Cluster },
        { Controller, "list watch delete", "events", "kube-public" },
        { Controller, "create update patch delete", "storageclasses.storage.k8s.io", Cluster },
        { Controller, "list watch update delete", "statefulsets.apps", Elsewhere },
        { Controller, "update patch delete", "deployments.apps", Home },
        { Controller, "get list watch update patch delete create", "leases.coordination.k8s.io", Elsewhere },
        { Controller, "get watch update patch delete create", "leases.coordination.k8s.io", "kube-node-lease" },
        { Controller, "get update patch", "mutatingwebhookconfigurations.admissionregistration.k8s.io:another", Cluster },
        { Controller, "create delete", "mutatingwebhookconfigurations.admissionregistration.k8s.io", Cluster },
        { Controller, "get update patch", "validatingwebhookconfigurations.admissionregistration.k8s.io", Cluster },
        { Controller, "create", "serviceaccounts/token", Home },
        { Controller, "create update patch delete", "namespaces", Cluster },
        { Controller, "create update patch bind escalate", "clusterroles.rbac.authorization.k8s.io", Cluster },
        { Controller, "impersonate", "users", Cluster },
        { Scheduler, "get list", "secrets", Home },
        { Scheduler, "get list", "secrets", Cluster },
        { Scheduler, "get update", "leases.coordination.k8s.io:another", Home },
        { Scheduler, "get update patch delete", "leases.coordination.k8s.io:carina-scheduler", "kube-node-lease" },
        { Scheduler, "get list create update delete", "logicvolumes.carina.storage.io", Cluster },
        { Scheduler, "update patch delete", "nodes", Cluster },
        { Scheduler, "get list", "configmaps", Home },
    };

    [Theory]
    [MemberData(nameof(Allowed))]
    public async Task May(string account, string verbs, string resource, string ns) =>
        Assert.Empty(await VerbsAsync(account, verbs, resource, ns, allowed: false));

    [Theory]
    [MemberData(nameof(Forbidden))]
    public async Task May_not(string account, string verbs, string resource, string ns) =>
        Assert.Empty(await VerbsAsync(account, verbs, resource, ns, allowed: true));

    [Theory]
    [InlineData(Node)]
    [InlineData(Controller)]
    public async Task Nobody_sees_other_secrets_with_the_token_that_its_pods_get(string account)
    {
        var client = Plane.ClientOf(await Plane.ServiceAccountKubeconfigAsync(Home, account, Stop));
        await client.CoreV1.ListNodeAsync(cancellationToken: Stop);
        var refused = await Assert.ThrowsAsync<HttpOperationException>(
            () => client.CoreV1.ListNamespacedSecretAsync(Home, cancellationToken: Stop));
        Assert.Equal(HttpStatusCode.Forbidden, refused.Response.StatusCode);
    }

    [Fact]
    public async Task No_role_of_ours_says_everything()
    {
        const string Ours = "app.kubernetes.io/instance=" + Chart.Release;
        var cluster = await Plane.Admin.RbacAuthorizationV1.ListClusterRoleAsync(labelSelector: Ours, cancellationToken: Stop);
        var roles = await Plane.Admin.RbacAuthorizationV1.ListRoleForAllNamespacesAsync(labelSelector: Ours, cancellationToken: Stop);
        var rules = cluster.Items.SelectMany(r => r.Rules).Concat(roles.Items.SelectMany(r => r.Rules)).ToList();
        Assert.NotEmpty(rules);
        Assert.All(rules, r => Assert.DoesNotContain("*", r.Verbs.Concat(r.ApiGroups).Concat(r.Resources)));
    }

    // Those of the verbs that are allowed, or that are not.
    private async Task<IReadOnlyList<string>> VerbsAsync(string account, string verbs, string resource, string ns, bool allowed)
    {
        var found = new List<string>();
        foreach (var verb in verbs.Split(' '))
        {
            if (await IsAllowedAsync(account, Attributes(verb, resource, ns)) == allowed)
            {
                found.Add(verb);
            }
        }

        return found;
    }

    private async Task<bool> IsAllowedAsync(string account, V1ResourceAttributes what)
    {
        var review = await Plane.Admin.AuthorizationV1.CreateSubjectAccessReviewAsync(
            new()
            {
                Spec = new()
                {
                    User = $"system:serviceaccount:{Home}:{account}",
                    Groups = ["system:serviceaccounts", $"system:serviceaccounts:{Home}", "system:authenticated"],
                    ResourceAttributes = what,
                },
            },
            cancellationToken: Stop);
        return review.Status.Allowed;
    }

    // "resource/subresource.group:name", as kubectl auth can-i has them.
    private static V1ResourceAttributes Attributes(string verb, string resource, string ns)
    {
        var named = resource.Split(':', 2);
        var grouped = named[0].Split('.', 2);
        var parts = grouped[0].Split('/', 2);
        return new()
        {
            Verb = verb,
            NamespaceProperty = ns,
            Resource = parts[0],
            Subresource = parts.Length > 1 ? parts[1] : null,
            Group = grouped.Length > 1 ? grouped[1] : "",
            Name = named.Length > 1 ? named[1] : null,
        };
    }
}
