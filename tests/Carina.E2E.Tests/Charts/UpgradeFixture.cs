using Carina.Harness.Kubernetes;

namespace Carina.E2E.Tests.Charts;

/// <summary>A control plane on which each test installs, upgrades and uninstalls; without nodes no pod ever runs.</summary>
public sealed class UpgradeFixture : IAsyncLifetime
{
    private ControlPlane? _plane;

    public ControlPlane Plane => _plane ?? throw new InvalidOperationException("The control plane is not started.");

    public async ValueTask InitializeAsync() => _plane = await ControlPlane.StartAsync(
        new() { ControllerManager = true }, TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (_plane is not null)
        {
            Assert.Empty(await _plane.RemoveAsync());
        }
    }
}

/// <summary>Tests that change what is installed.</summary>
[CollectionDefinition(Name)]
public sealed class UpgradeCollection : ICollectionFixture<UpgradeFixture>
{
    public const string Name = "chart upgrades";
}
