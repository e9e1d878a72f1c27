using k8s;
using k8s.Models;

namespace Carina.E2E.Tests.Kubernetes;

/// <summary>The API server is away, or silent, for a while.</summary>
[Collection(ControlPlaneCollection.Name)]
public sealed class OutageTests(ControlPlaneFixture fixture) : ControlPlaneTest(fixture)
{
    [Fact]
    public async Task A_killed_API_server_comes_back_with_its_data()
    {
        await Admin.CoreV1.CreateNamespacedConfigMapAsync(
            new() { Metadata = new() { Name = "kept" }, Data = new Dictionary<string, string> { ["key"] = "value" } },
            Namespace,
            cancellationToken: Stop);
        await Plane.KillApiServerAsync(Stop);
        try
        {
            await Assert.ThrowsAsync<HttpRequestException>(
                () => Admin.CoreV1.ReadNamespacedConfigMapAsync("kept", Namespace, cancellationToken: Stop));
        }
        finally
        {
            await Plane.StartApiServerAsync(Stop);
        }

        var kept = await Admin.CoreV1.ReadNamespacedConfigMapAsync("kept", Namespace, cancellationToken: Stop);
        Assert.Equal("value", kept.Data["key"]);
        await Plane.WaitUntilReadyAsync(Stop);
    }

    [Fact]
    public async Task A_frozen_API_server_answers_nobody_until_it_is_thawed()
    {
        Task<V1NamespaceList> answer;
        Plane.FreezeApiServer();
        try
        {
            answer = Admin.CoreV1.ListNamespaceAsync(cancellationToken: Stop);
            await Assert.ThrowsAsync<TimeoutException>(() => answer.WaitAsync(TimeSpan.FromSeconds(1), Stop));
        }
        finally
        {
            Plane.ThawApiServer();
        }

        Assert.Contains((await answer).Items, n => n.Metadata.Name == Namespace);
    }
}
