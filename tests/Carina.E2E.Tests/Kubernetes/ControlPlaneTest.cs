using System.Net;
using Carina.Harness.Kubernetes;
using k8s;
using k8s.Autorest;

namespace Carina.E2E.Tests.Kubernetes;

/// <summary>A test on a shared control plane, with a namespace of its own.</summary>
public abstract class ControlPlaneTest(ControlPlaneFixture fixture) : IAsyncLifetime
{
    protected ControlPlane Plane => fixture.Plane;

    protected IKubernetes Admin => Plane.Admin;

    protected static CancellationToken Stop => TestContext.Current.CancellationToken;

    protected string Namespace { get; } = $"test-{Guid.NewGuid():N}"[..17];

    public virtual async ValueTask InitializeAsync()
    {
        await Admin.CoreV1.CreateNamespaceAsync(
            new() { Metadata = new() { Name = Namespace } }, cancellationToken: Stop);
        await Eventually.ReadAsync(
            "the default service account's token",
            () => Admin.CoreV1.ReadNamespacedServiceAccountAsync("default", Namespace, cancellationToken: Stop),
            account => Plane.Minor >= 24 || account.Secrets is { Count: > 0 },
            Stop);
    }

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await Admin.CoreV1.DeleteNamespaceAsync(Namespace, cancellationToken: CancellationToken.None);
    }

    /// <summary>The call must be refused with this status.</summary>
    protected static async Task RequireStatusAsync(HttpStatusCode status, Func<Task> call)
    {
        var error = await Assert.ThrowsAsync<HttpOperationException>(call);
        Assert.Equal((status, error.Response.Content), (error.Response.StatusCode, error.Response.Content));
    }
}
