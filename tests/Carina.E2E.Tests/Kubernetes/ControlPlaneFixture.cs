using Carina.Harness.Kubernetes;

namespace Carina.E2E.Tests.Kubernetes;

/// <summary>
/// A whole control plane that tests share; each test has a namespace, and nodes, of its own. At the end nothing of it
/// may be left.
/// </summary>
public sealed class ControlPlaneFixture : IAsyncLifetime
{
    /// <summary>A user without any role.</summary>
    public const string Stranger = "stranger";

    /// <summary>A user in the group <see cref="ReadersGroup"/>.</summary>
    public const string Reader = "reader";

    /// <summary>A group that has no role until a test gives it one.</summary>
    public const string ReadersGroup = "readers";

    private ControlPlane? _plane;

    public ControlPlane Plane => _plane ?? throw new InvalidOperationException("The control plane is not started.");

    public async ValueTask InitializeAsync() => _plane = await ControlPlane.StartAsync(
        new()
        {
            Users = [new(Stranger), new(Reader, ReadersGroup)],
            ControllerManager = true,
            Scheduler = true,
        },
        TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (_plane is not null)
        {
            Assert.Empty(await _plane.RemoveAsync());
        }
    }
}

/// <summary>Tests that share a control plane.</summary>
[CollectionDefinition(Name)]
public sealed class ControlPlaneCollection : ICollectionFixture<ControlPlaneFixture>
{
    public const string Name = "control plane";
}
