using System.Net;
using Carina.Harness.Kubernetes;
using k8s;
using k8s.Models;

namespace Carina.E2E.Tests.Kubernetes;

/// <summary>Everybody may do what a role says, and nothing else.</summary>
[Collection(ControlPlaneCollection.Name)]
public sealed class AccessTests(ControlPlaneFixture fixture) : ControlPlaneTest(fixture)
{
    [Fact]
    public async Task A_user_without_a_role_may_do_nothing()
    {
        var client = Plane.Client(ControlPlaneFixture.Stranger);
        await RequireStatusAsync(
            HttpStatusCode.Forbidden, () => client.CoreV1.ListNamespacedPodAsync(Namespace, cancellationToken: Stop));
        await RequireStatusAsync(
            HttpStatusCode.Forbidden, () => client.CoreV1.ListNodeAsync(cancellationToken: Stop));
    }

    [Fact]
    public async Task A_group_gets_what_its_role_says()
    {
        await BindAsync(new() { Kind = "Group", Name = ControlPlaneFixture.ReadersGroup, ApiGroup = "rbac.authorization.k8s.io" });
        var client = Plane.Client(ControlPlaneFixture.Reader);
        await Eventually.ReadAsync(
            "the role to work",
            () => Plane.KubectlAsync(
                "auth", "can-i", "list", "pods", "--namespace", Namespace, "--kubeconfig", Plane.Kubeconfig(ControlPlaneFixture.Reader)),
            answer => answer.Trim() == "yes",
            Stop);
        await client.CoreV1.ListNamespacedPodAsync(Namespace, cancellationToken: Stop);
        await RequireStatusAsync(
            HttpStatusCode.Forbidden, () => client.CoreV1.ListNamespacedSecretAsync(Namespace, cancellationToken: Stop));
    }

    [Fact]
    public async Task A_service_account_is_known_by_its_token()
    {
        await Admin.CoreV1.CreateNamespacedServiceAccountAsync(
            new() { Metadata = new() { Name = "driver" } }, Namespace, cancellationToken: Stop);
        var kubeconfig = await Plane.ServiceAccountKubeconfigAsync(Namespace, "driver", Stop);
        var client = Plane.ClientOf(kubeconfig);
        await RequireStatusAsync(
            HttpStatusCode.Forbidden, () => client.CoreV1.ListNamespacedPodAsync(Namespace, cancellationToken: Stop));

        await BindAsync(new() { Kind = "ServiceAccount", Name = "driver", NamespaceProperty = Namespace });
        await Eventually.ReadAsync(
            "the role to work",
            () => client.AuthorizationV1.CreateSelfSubjectAccessReviewAsync(
                new()
                {
                    Spec = new()
                    {
                        ResourceAttributes = new() { NamespaceProperty = Namespace, Verb = "list", Resource = "pods" },
                    },
                },
                cancellationToken: Stop),
            review => review.Status.Allowed,
            Stop);
        await client.CoreV1.ListNamespacedPodAsync(Namespace, cancellationToken: Stop);
    }

    private async Task BindAsync(Rbacv1Subject subject)
    {
        await Admin.RbacAuthorizationV1.CreateNamespacedRoleAsync(
            new()
            {
                Metadata = new() { Name = "pods" },
                Rules = [new() { ApiGroups = [""], Resources = ["pods"], Verbs = ["get", "list"] }],
            },
            Namespace,
            cancellationToken: Stop);
        await Admin.RbacAuthorizationV1.CreateNamespacedRoleBindingAsync(
            new()
            {
                Metadata = new() { Name = "pods" },
                RoleRef = new() { ApiGroup = "rbac.authorization.k8s.io", Kind = "Role", Name = "pods" },
                Subjects = [subject],
            },
            Namespace,
            cancellationToken: Stop);
    }
}
