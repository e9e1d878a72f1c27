using Carina.Harness.Kubernetes;

namespace Carina.Webhook.Tests.Cluster;

/// <summary>A real API server that tests share. Nothing makes claims of pods: tests do, or leave it.</summary>
public sealed class PlaneFixture : IAsyncLifetime
{
    private ControlPlane? _plane;

    public ControlPlane Plane => _plane ?? throw new InvalidOperationException("The control plane is not started.");

    public async ValueTask InitializeAsync() => _plane = await ControlPlane.StartAsync(
        new() { ApiServerArguments = ["--feature-gates=GenericEphemeralVolume=true"] },
        TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (_plane is not null)
        {
            Assert.Empty(await _plane.RemoveAsync());
        }
    }
}

/// <summary>Tests that share an API server.</summary>
[CollectionDefinition(Name)]
public sealed class PlaneCollection : ICollectionFixture<PlaneFixture>
{
    public const string Name = "api server";
}
